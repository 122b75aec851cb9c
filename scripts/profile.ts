import { parseArgs } from 'node:util'
import { modern } from './bench/rows/gateway.ts'
import { loadToolOf } from './bench/run.ts'
import { startWorld } from './bench/world.ts'
import { table } from './cli/table.ts'
import { withCleanups } from './workerd/cleanups.ts'
import { freePort } from './workerd/free-port.ts'
import { madeDuring, profileDuring } from './workerd/profile.ts'

const HELP = `npm run profile -- [options]

Where a modern tools/call through the gateway spends its time, by function, under 32 calls at once.

  --bytes    what it leaves to collect instead, and what of that outlives the collection of young things`

/**
 * `npm run profile`: a modern `tools/call` through the gateway by function, as V8 samples it under
 * load. What V8 calls `(program)` and `(V8 API)` is the platform outside of JavaScript.
 */
const SECONDS = 8
const CONCURRENCY = 32
const ROWS = 45

const { values } = parseArgs({ options: { bytes: { type: 'boolean' }, help: { type: 'boolean' } } })
if (values.help) {
  console.log(HELP)
  process.exit()
}

const say = (text: string) => console.error(`profile: ${text}`)
await withCleanups(async (cleanups) => {
  const inspectorPort = await freePort()
  const world = await startWorld({ cleanups, inspectorPort, say })
  const targets = await modern.start(world)
  const target = targets.find(({ name }) => name === 'gateway-modern')
  if (!target) throw new Error('there is no such row')
  const tool = loadToolOf(world)
  const load = (seconds = SECONDS) => tool.run({ target, concurrency: CONCURRENCY, seconds })
  await load(3)
  say(`sampling ${SECONDS} s at ${CONCURRENCY} at once`)
  await (values.bytes ? showBytes(inspectorPort, load) : showTimes(inspectorPort, load))
})

type Load = () => Promise<{ readonly requests: number }>

async function showTimes(inspectorPort: number, load: Load): Promise<void> {
  const { selfTimes, result } = await profileDuring(inspectorPort, load)
  const busy = selfTimes.filter(({ name }) => name !== '(idle)')
  const busyMicros = busy.reduce((sum, { micros }) => sum + micros, 0)
  const rows = busy
    .slice(0, ROWS)
    .map(({ name, micros }) => [
      name,
      ((100 * micros) / busyMicros).toFixed(1),
      (micros / result.requests).toFixed(1),
    ])
  console.log(table(['function', '% of busy', 'us a call'], rows))
  console.log(
    `${result.requests} calls, ${(busyMicros / result.requests).toFixed(0)} us busy each, sampling included`,
  )
}

async function showBytes(inspectorPort: number, load: Load): Promise<void> {
  const all = await madeDuring(inspectorPort, false, load)
  const lasting = await madeDuring(inspectorPort, true, load)
  const aCall = (bytes: number, { requests }: { readonly requests: number }) =>
    (bytes / requests).toFixed(0)
  const sum = (made: readonly { readonly bytes: number }[]) =>
    made.reduce((total, { bytes }) => total + bytes, 0)
  const lastingOf = new Map(lasting.made.map(({ name, bytes }) => [name, bytes]))
  const rows = all.made
    .slice(0, ROWS)
    .map(({ name, bytes }) => [
      name,
      aCall(bytes, all.result),
      aCall(lastingOf.get(name) ?? 0, lasting.result),
    ])
  console.log(table(['function', 'bytes a call', 'that last'], rows))
  console.log(
    `${all.result.requests} calls, ${aCall(sum(all.made), all.result)} bytes each, ` +
      `of which ${aCall(sum(lasting.made), lasting.result)} outlive the collection of young things`,
  )
}
