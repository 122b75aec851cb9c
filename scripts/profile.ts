import { modern } from './bench/rows/gateway.ts'
import { loadToolOf } from './bench/run.ts'
import { startWorld } from './bench/world.ts'
import { table } from './cli/table.ts'
import { withCleanups } from './workerd/cleanups.ts'
import { freePort } from './workerd/free-port.ts'
import { profileDuring } from './workerd/profile.ts'

/**
 * `npm run profile`: where a modern `tools/call` through the gateway spends its time, by function,
 * as V8 samples it under load. What V8 calls `(program)` is the platform outside of JavaScript.
 */
const SECONDS = 8
const CONCURRENCY = 32
const ROWS = 45

const say = (text: string) => console.error(`profile: ${text}`)
await withCleanups(async (cleanups) => {
  const inspectorPort = await freePort()
  const world = await startWorld({ cleanups, inspectorPort, say })
  const targets = await modern.start(world)
  const target = targets.find(({ name }) => name === 'gateway-modern')
  if (!target) throw new Error('there is no such row')
  const tool = loadToolOf(world)
  await tool.run({ target, concurrency: CONCURRENCY, seconds: 3 })
  say(`sampling ${SECONDS} s at ${CONCURRENCY} at once`)
  const { selfTimes, result } = await profileDuring(inspectorPort, () =>
    tool.run({ target, concurrency: CONCURRENCY, seconds: SECONDS }),
  )
  const busyMicros = selfTimes.reduce(
    (sum, { name, micros }) => sum + (name === '(idle)' ? 0 : micros),
    0,
  )
  const rows = selfTimes
    .filter(({ name }) => name !== '(idle)')
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
})
