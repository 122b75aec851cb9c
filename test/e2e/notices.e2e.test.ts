import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually, postModern, type Stack, startStack } from '../support/e2e.ts'
import {
  startTellingServer,
  type TellingMood,
  type TellingServer,
  type TellingState,
} from '../support/telling-server.ts'

const PRINCIPALS = 50
const STREAMS_OF_EACH = 10
const STREAMS = PRINCIPALS * STREAMS_OF_EACH
/** A client that closes is noticed when its stream is written to, at the latest so much later. */
const NOTICED_MS = 45_000

const nameOf = (at: number) => `listener-${at}`
/** The others may see `every` alone. */
const isAllowed = (at: number) => at % 2 === 0

let stack: Stack
let telling: TellingServer
beforeAll(async () => {
  telling = await startTellingServer()
  stack = await startStack({
    isolates: 2,
    clients: Object.fromEntries(
      Array.from({ length: PRINCIPALS }, (_, at) => [
        nameOf(at),
        { groups: [isAllowed(at) ? '/insiders' : '/outsiders'] },
      ]),
    ),
  })
  const grant = (server: string) => ({ server, methods: ['*'], tools: ['*'] })
  const { status } = await stack.api('PUT', '/policy', {
    group_mappings: { admins: ['admin'], insiders: ['inside', 'outside'], outsiders: ['outside'] },
    inside: [grant('some')],
    outside: [grant('every')],
  })
  expect(status).toBe(200)
  await stack.register('some', `${telling.origin}/modern/some`)
  await stack.register('every', `${telling.origin}/legacy/every`)
})
afterAll(async () => {
  await stack.stop()
  await telling.stop()
})

const control = async (room: string, mood: TellingMood) => {
  const body = JSON.stringify(mood)
  await (await fetch(`${telling.origin}/control/${room}`, { method: 'POST', body })).text()
}
const stateOf = async (room: string): Promise<TellingState> =>
  JSON.parse(await (await fetch(`${telling.origin}/state/${room}`)).text())

/** Resident memory of the gateway's process, in KiB. */
async function memoryKib(): Promise<number> {
  const status = await readFile(`/proc/${stack.gateway.pid()}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1])
}

/** One open stream, and the methods that it heard. */
interface Listener {
  readonly principal: number
  readonly heard: string[]
  leave(): void
}

async function listen(principal: number, isolate: number, token: string): Promise<Listener> {
  const notifications = { toolsListChanged: true, promptsListChanged: true }
  const message = { id: 'l', method: 'subscriptions/listen', params: { notifications } }
  const url = `${stack.gateway.urls[isolate]}/mcp`
  const response = await postModern(url, token, message)
  expect(response.status).toBe(200)
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  const heard: string[] = []
  const read = async (): Promise<void> => {
    let text = ''
    for (;;) {
      const chunk = await reader?.read()
      if (!chunk || chunk.done) return
      text += chunk.value
      const events = text.split('\n\n')
      text = events.pop() ?? ''
      for (const event of events) {
        const method = /"method":"([^"]+)"/.exec(event)?.[1]
        if (method !== undefined) heard.push(method)
      }
    }
  }
  void read().catch(() => undefined)
  return { principal, heard, leave: () => void reader?.cancel().catch(() => undefined) }
}

async function discover(token: string, at: number): Promise<void> {
  const message = { id: 1, method: 'server/discover', params: {} }
  await (await postModern(`${stack.gateway.urls[at % 2]}/mcp`, token, message)).text()
}

describe('500 open listen streams of 50 principals on two isolates', () => {
  // req: listen-bounded
  it('each hear what they may, once, on one upstream stream per server, and cost little', async () => {
    const tokens = await Promise.all(
      Array.from({ length: PRINCIPALS }, (_, at) => stack.idp.token(nameOf(at))),
    )
    // What an isolate costs before its first stream is no stream's, nor what its requests leave.
    for (let at = 0; at < STREAMS; at += 20) await Promise.all(tokens.slice(0, 20).map(discover))
    const first = await Promise.all([0, 1].map((isolate) => listen(0, isolate, tokens[0] ?? '')))
    const before = await memoryKib()
    const listeners: Listener[] = [...first]
    for (let at = first.length; at < STREAMS; at += 20) {
      const some = Array.from({ length: Math.min(20, STREAMS - at) }, (_, more) => at + more)
      listeners.push(
        ...(await Promise.all(
          some.map((one) => listen(one % PRINCIPALS, one % 2, tokens[one % PRINCIPALS] ?? '')),
        )),
      )
    }
    const kib = (await memoryKib()) - before
    console.log(
      `an idle listen stream costs ${(kib / STREAMS).toFixed(1)} KiB of ${kib} KiB in all`,
    )
    expect((await stateOf('some')).listens).toHaveLength(1)
    expect((await stateOf('every')).streams).toBe(1)

    const tools = 'notifications/tools/list_changed'
    const prompts = 'notifications/prompts/list_changed'
    await control('some', { tools: ['new'], tell: [{ method: tools }] })
    await control('every', { tell: [{ method: prompts }] })
    await expectHeard((at) => [...(isAllowed(at) ? [tools] : []), prompts])
    // What was told twice would be heard before what is told now.
    await control('every', { tell: [{ method: prompts }] })
    await expectHeard((at) => [...(isAllowed(at) ? [tools] : []), prompts, prompts])

    async function expectHeard(wanted: (principal: number) => readonly string[]) {
      const hasHeard = ({ principal, heard }: Listener) => heard.length > wanted(principal).length
      const isWrong = ({ principal, heard: [ack, ...told] }: Listener) =>
        ack !== 'notifications/subscriptions/acknowledged' ||
        told.sort().join() !== [...wanted(principal)].sort().join()
      const count = await eventually(
        async () => listeners.filter(hasHeard).length,
        (heard) => heard === STREAMS,
        20_000,
      )
      expect(count).toBe(STREAMS)
      expect(listeners.filter(isWrong).map(({ principal, heard }) => [principal, heard])).toEqual(
        [],
      )
    }

    for (const { leave } of listeners) leave()
    // Every stream is written to, and finds that nobody reads it.
    for (const room of ['some', 'every']) {
      await control(room, { tell: [{ method: 'notifications/tools/list_changed' }] })
    }
    const open = await eventually(
      async () => {
        const { listens } = await stateOf('some')
        const { streams, sessions } = await stateOf('every')
        return { listens: listens.length, streams, sessions }
      },
      ({ listens, streams, sessions }) => listens + streams + sessions === 0,
      NOTICED_MS,
    )
    expect(open).toEqual({ listens: 0, streams: 0, sessions: 0 })
  }, 120_000)
})
