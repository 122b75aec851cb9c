import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually, post, type Stack, startStack } from '../support/e2e.ts'
import { readEvents } from '../support/event-reader.ts'
import { type RunningUpstream, startEverything } from '../support/processes.ts'
import { authorization, namesOf, textOf } from './clients/foreign-client.ts'
import { connectSseV1, connectSseV2, type SseConnected, type SsePlace } from './clients/sse.ts'

let stack: Stack
let everything: RunningUpstream
let token = ''
beforeAll(async () => {
  ;[stack, everything] = await Promise.all([startStack({ isolates: 2 }), startEverything()])
  await stack.register('everything', everything.url)
  token = await stack.adminToken()
})
afterAll(() => Promise.all([stack, everything].map((part) => part.stop())))

const CONNECTS = {
  'SDK v1': connectSseV1,
  'SDK v2 (legacy)': (place: SsePlace) => connectSseV2(place, 'legacy'),
  'SDK v2 (auto)': (place: SsePlace) => connectSseV2(place, 'auto'),
}
const PLACES: readonly (readonly [path: string, prefix: string])[] = [
  ['/everything/sse', ''],
  ['/sse', 'everything__'],
]
const CASES = Object.keys(CONNECTS).flatMap((client) =>
  PLACES.map(([path, prefix]) => ({ client, path, prefix })),
)

/** Its stream is on one isolate, and what it posts goes to the other. */
function place(path: string, name = 'e2e'): SsePlace {
  const [url, postsTo = ''] = stack.gateway.urls
  return { url: `${url}${path}`, postsTo, token, name }
}

describe.each(CASES)('$client at $path, with its stream and its POSTs on two isolates', (one) => {
  const { client: name, path, prefix } = one
  const connect = CONNECTS[name as keyof typeof CONNECTS]
  const using = async (
    verb: (connected: SseConnected) => Promise<void>,
    as?: string,
  ): Promise<void> => {
    const connected = await connect(place(path, as))
    try {
      await verb(connected)
    } finally {
      await connected.client.close()
    }
  }

  it('lists and calls', () =>
    using(async ({ client, call }) => {
      expect(namesOf(await client.listTools())).toContain(`${prefix}get-sum`)
      expect(textOf(await call(`${prefix}get-sum`, { a: 2, b: 3 }))).toContain('5')
      await client.ping()
    }))

  it('is told of progress', () =>
    using(async ({ call }) => {
      const steps: number[] = []
      const args = { duration: 1, steps: 4 }
      const onprogress = ({ progress }: { progress: number }) => void steps.push(progress)
      await call(`${prefix}trigger-long-running-operation`, args, { onprogress })
      // The last one comes together with the answer, for which the SDKs stop listening at once.
      expect(steps.slice(0, 3)).toEqual([1, 2, 3])
    }))

  it('is told what its server says by itself', () =>
    using(async ({ call, told, setLogLevel }) => {
      await setLogLevel('debug')
      await call(`${prefix}get-sum`, { a: 1, b: 1 })
      await call(`${prefix}toggle-simulated-logging`, {})
      await eventually(
        async () => told.length,
        (count) => count > 0,
      )
      expect(told.length).toBeGreaterThan(0)
    }))

  it('takes a call back', () =>
    using(async ({ client, call }) => {
      const { signal, abort } = abortable()
      const slow = call(
        `${prefix}trigger-long-running-operation`,
        { duration: 20, steps: 2 },
        { signal },
      )
      const failed = expect(slow).rejects.toThrow('enough')
      await eventuallyRuns()
      abort('enough')
      await failed
      await client.ping()
    }))
})

/** The SDK cancels when its signal aborts. */
function abortable() {
  const controller = new AbortController()
  return { signal: controller.signal, abort: (reason: string) => controller.abort(reason) }
}

/** A cancel may overtake nothing here: the call has been posted when the client's promise is there. */
const eventuallyRuns = () => new Promise((resolve) => setImmediate(resolve))

// At /sse the server has no such tools: its catalogue was read by a client without capabilities.
describe.each(Object.entries(CONNECTS))('%s at one server', (_name, connect) => {
  // req: server-request-to-its-client
  it('answers what the server asks while it calls', async () => {
    const { client, call, asked } = await connect(place('/everything/sse', 'ann'))
    const sampled = await call('trigger-sampling-request', { prompt: 'Who calls?' })
    expect(JSON.stringify(sampled)).toContain('I am ann.')
    expect(asked).toHaveLength(1)
    const elicited = await call('trigger-elicitation-request', {})
    expect(JSON.stringify(elicited)).toContain('accept')
    expect(asked).toHaveLength(2)
    await client.close()
  })
})

describe('streams of HTTP with SSE', () => {
  // req: equal-ids-apart
  it('of two clients with the same ids stay apart', async () => {
    const two = await Promise.all(
      ['ann', 'bob'].map((name) => connectSseV1(place('/everything/sse', name))),
    )
    const results = await Promise.all(
      two.map(({ call }, index) => call('trigger-sampling-request', { prompt: `of ${index}` })),
    )
    expect(JSON.stringify(results[0])).toContain('I am ann.')
    expect(JSON.stringify(results[1])).toContain('I am bob.')
    for (const { client, asked } of two) {
      expect(asked).toHaveLength(1)
      await client.close()
    }
  })

  it('are gone for every isolate when their client left', async () => {
    const [here, there] = stack.gateway.urls
    const left = new AbortController()
    const response = await fetch(`${here}/everything/sse`, {
      headers: { ...authorization(token), accept: 'text/event-stream' },
      signal: left.signal,
    })
    const events = readEvents(response)
    const [, endpoint = ''] = /data: (\S+)/.exec((await events.next()) ?? '') ?? []
    const ping = async (): Promise<number> => {
      const { status } = await post(`${there}${endpoint}`, token, { id: 1, method: 'ping' })
      return status
    }
    expect(await ping()).toBe(202)
    expect(await events.next()).toContain('"id":1')
    left.abort()
    // A bare workerd notices that a client left when it writes to it.
    expect(await eventually(ping, (status) => status === 404)).toBe(404)
    const ends = async () => stack.events().filter(isEnd).length
    expect(await eventually(ends, (count) => count > 0)).toBeGreaterThan(0)
  })
})

function isEnd({ httpMethod, route, outcome }: Record<string, unknown>): boolean {
  return httpMethod === 'GET' && route === '/:server/sse' && outcome === 'cancelled'
}
