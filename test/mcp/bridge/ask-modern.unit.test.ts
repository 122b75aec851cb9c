import { describe, expect, it } from 'vitest'
import { EndpointId, systemClock, systemRandom } from '../../../src/core/index.ts'
import { createAskModern } from '../../../src/mcp/bridge/ask-modern.ts'
import type { LegacyAsking } from '../../../src/mcp/bridge/conversation.ts'
import { classify, type InboundRequest, readMessage } from '../../../src/mcp/eras.ts'
import type { UpstreamCall, Upstreams } from '../../../src/mcp/upstream/send.ts'

const ENDPOINT = { id: EndpointId.parse('00000000-0000-4000-8000-000000000001'), url: 'x' }
const ASKS = {
  resultType: 'input_required',
  inputRequests: { who: { method: 'elicitation/create', params: { message: 'Who?' } } },
}
const COMPLETE = { resultType: 'complete', content: [] }
const REFUSED = { code: -32602, message: 'no' }

const inbound = classify(
  readMessage('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}'),
  new Headers({ 'mcp-protocol-version': '2025-11-25' }),
) as InboundRequest

/** What a server says in its rounds, and what is learned of it. */
async function run(rounds: readonly ((id: unknown) => Response | Error)[], deadlineMs?: number) {
  const learned: string[] = []
  const calls: UpstreamCall[] = []
  let ended = 0
  const upstreams = {
    async send(_ctx: unknown, call: UpstreamCall) {
      const round = rounds[calls.length]
      calls.push(call)
      const response = round?.(JSON.parse(call.body ?? '{}').id)
      if (response === undefined || response instanceof Error) throw response ?? new Error('none')
      const end = (): void => {
        ended += 1
      }
      return { endpoint: ENDPOINT, response, end }
    },
    reportSound: () => learned.push('sound'),
    reportBroken: () => learned.push('broken'),
    reportLeft: () => learned.push('left'),
  } as unknown as Upstreams
  const line = {
    cancelled: new AbortController().signal,
    nextId: () => 'asked',
    listen: async () => true,
    answerTo: async () => '{"jsonrpc":"2.0","id":"asked","result":{"action":"accept"}}',
    close: () => undefined,
    abandon: () => undefined,
  }
  const server = {
    ...{ path: 's', timeoutMs: 1_000, headers: [], tools: new Map(), endpoints: [ENDPOINT] },
    resilience: deadlineMs === undefined ? {} : { deadlineMs },
  }
  const hello = {
    ...{ protocolVersion: '2025-11-25', clientInfo: {} },
    capabilities: { elicitation: {} },
  }
  const asking = {
    outgoing: { inbound, headers: new Headers(), target: { server, actor: {} } },
    client: { key: 'k', hello },
    upstreamId: '"up"',
  } as unknown as LegacyAsking
  const ctx = {
    ...{ requestId: 'r', facts: {}, clock: systemClock, random: systemRandom },
    caller: new AbortController(),
    waitUntil: () => undefined,
  } as never
  const askModern = createAskModern({ upstreams, lines: { open: () => line } as never })
  const thrown: unknown[] = []
  const answered = await askModern(ctx, asking).catch((error: unknown) => {
    thrown.push(error)
  })
  const text = answered?.kind === 'answer' ? await answered.response.text() : ''
  if (answered?.kind === 'answer') learned.push(`in the end ${answered.judgement()}`)
  return { text, learned, calls, thrown, ended: () => ended }
}

const says = (message: object, status = 200) => {
  return (id: unknown) => Response.json({ jsonrpc: '2.0', id, ...message }, { status })
}

describe('what is learned of a server that a legacy client calls', () => {
  it.each<[string, readonly ((id: unknown) => Response | Error)[], readonly string[]]>([
    ['an answer, once', [says({ result: COMPLETE })], ['sound', 'in the end told']],
    [
      'each of its rounds by itself',
      [says({ result: ASKS }), says({ result: COMPLETE })],
      ['sound', 'sound', 'in the end told'],
    ],
    [
      'nothing of a refusal, of which its breaker knows',
      [says({ error: REFUSED }, 400)],
      ['in the end told'],
    ],
    [
      'nothing of a later refusal',
      [says({ result: ASKS }), says({ error: REFUSED }, 404)],
      ['sound', 'in the end told'],
    ],
    [
      'nothing of a later round that failed, of which its breaker knows',
      [says({ result: ASKS }), () => new Error('lost')],
      ['sound', 'in the end told'],
    ],
    ['that it answered with no answer', [says({ result: 7 })], ['in the end broken']],
    [
      'that a later round was none',
      [
        says({ result: ASKS }),
        () => new Response('<p>', { headers: { 'content-type': 'text/html' } }),
      ],
      ['sound', 'in the end broken'],
    ],
    [
      'that what it gave is of no known type',
      [() => new Response('<p>', { headers: { 'content-type': 'text/html' } })],
      ['broken'],
    ],
  ])('is %s', async (_what, rounds, learned) => {
    expect((await run(rounds)).learned).toEqual(learned)
  })

  it('is asked in rounds of one call: one deadline, one admission, one endpoint', async () => {
    const { calls, ended } = await run([says({ result: ASKS }), says({ result: COMPLETE })], 9_000)
    const [first, second] = calls
    expect(first?.deadline).toEqual({ ms: 9_000 })
    expect(second?.deadline).toBe(first?.deadline)
    expect([first?.isAdmitted, second?.isAdmitted]).toEqual([undefined, true])
    expect([first?.pinned, second?.pinned]).toEqual([undefined, ENDPOINT.id])
    // Nobody here reads the body under it.
    expect([first?.keepsDeadline, second?.keepsDeadline]).toEqual([undefined, undefined])
    expect(ended()).toBeGreaterThan(1)
  })
})
