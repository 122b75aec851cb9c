import { describe, expect, it } from 'vitest'
import { call, callsInSession, gatewayFor } from '../support/bounded-calls.ts'
import { modern } from '../support/gateway.ts'
import { scriptedRoom } from '../support/scripted-room.ts'
import { FIRST_EVENT } from '../support/scripted-tools.ts'

describe('a call that takes longer than its server may', () => {
  const room = scriptedRoom('deadlines')
  const late = (ms: number, response: Response) => ({
    jsonrpc: '2.0',
    id: 'mine',
    error: {
      code: -31015,
      message: `The server "scripted" did not finish within ${ms} ms.`,
      data: {
        code: 'upstream_timeout',
        fix: 'Whether the request took effect is unknown; check before you send it again.',
        requestId: response.headers.get('x-request-id'),
      },
    },
  })

  async function expectClosed(tool: string): Promise<void> {
    const closed: string[] = []
    await expect
      .poll(async () => {
        closed.push(...(await room.log()).closed)
        return closed
      })
      .toContain(tool)
  }

  it('is one error under its id, and its upstream is left', async () => {
    const { gateway, token } = await gatewayFor(room, { resilience: { deadlineMs: 200 } })
    const response = await gateway.fetch('/scripted/mcp', call(token, 'silent'))
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual(late(200, response))
    await expectClosed('silent')
    expect(gateway.events).toMatchObject([{ tool: 'silent', outcome: 'upstream_timeout' }])
  })

  it('is the last event of a stream that had begun, however lively it was', async () => {
    const { gateway, token } = await gatewayFor(room, { resilience: { deadlineMs: 300 } })
    const response = await gateway.fetch('/scripted/mcp', call(token, 'hang'))
    const text = await response.text()
    const last = `event: message\ndata: ${JSON.stringify(late(300, response))}\n\n`
    expect(text).toBe(`${FIRST_EVENT}${last}`)
    await expectClosed('hang')
    expect(gateway.events.at(-1)).toMatchObject({ tool: 'hang', outcome: 'upstream_timeout' })
  })

  it('goes by the time of its tool, where that is named', async () => {
    const resilience = { deadlineMs: 60_000, toolDeadlinesMs: { silent: 150 } }
    const { gateway, token } = await gatewayFor(room, { resilience })
    const response = await gateway.fetch('/scripted/mcp', call(token, 'silent'))
    expect(await response.json()).toEqual(late(150, response))
    const other = await gateway.fetch('/scripted/mcp', call(token, 'echo'))
    expect(await other.json()).toMatchObject({ id: 'mine', result: {} })
  })

  it('includes its retries', async () => {
    const { gateway, token } = await gatewayFor(room, {
      trustAnnotations: true,
      timeoutMs: 1_000,
      resilience: { deadlineMs: 1_300, retries: { maxAttempts: 5 } },
    })
    await room.control({ failNext: 5 })
    const response = await gateway.fetch('/scripted/mcp', call(token, 'echo'))
    expect(await response.json()).toMatchObject({ id: 'mine', error: {} })
    expect((await room.log()).log.length).toBeGreaterThan(1)
    await room.control({ failNext: 0 })
  })

  it.each(['silent', 'hang'])('is cancelled in a legacy session (%s)', async (tool) => {
    const endpoints = [{ url: room.url('dual') }]
    const { gateway, token } = await gatewayFor(room, {
      endpoints,
      resilience: { deadlineMs: 300 },
    })
    const send = await callsInSession(gateway, token)
    await room.log()
    const { response, settle } = await send(tool)
    expect(await response.text()).toContain('did not finish within 300 ms')
    await settle()
    const { log } = await room.log()
    const bodies = log.map(({ body }) => JSON.parse(body))
    expect(bodies).toMatchObject([
      { method: 'tools/call' },
      { method: 'notifications/cancelled', params: { requestId: bodies[0].id } },
    ])
  })

  it('does not end in time what is in time: a stream is whole', async () => {
    const { gateway, token } = await gatewayFor(room, { resilience: { deadlineMs: 60_000 } })
    const response = await gateway.fetch('/scripted/mcp', call(token, 'exotic_sse'))
    expect(await response.text()).toContain('hologram')
    const large = await gateway.fetch('/scripted/mcp', call(token, 'exotic'))
    expect(await large.json()).toMatchObject({ id: 'mine', result: {} })
  })
})

describe('a hedged read', () => {
  const [slow, fast] = [scriptedRoom('hedge-slow'), scriptedRoom('hedge-fast')]

  it('is answered by the endpoint that is not slow, and the other one is left', async () => {
    let isSlow = false
    const aborted: string[] = []
    const fetcher = (request: Request): Promise<Response> => {
      if (!isSlow || !request.url.includes('hedge-slow')) return fetch(request)
      return new Promise((_resolve, reject) => {
        request.signal.addEventListener('abort', () => {
          aborted.push(request.url)
          reject(new Error('aborted'))
        })
      })
    }
    const endpoints = [{ url: slow.url('modern') }, { url: fast.url('modern') }]
    const { gateway, token } = await gatewayFor(
      slow,
      { endpoints, resilience: { hedgeAfterMs: 20 } },
      { seams: { fetcher } },
    )
    isSlow = true
    let hedged = 0
    for (let count = 0; count < 8; count += 1) {
      const { response, settle } = await gateway.fetchWith(
        '/scripted/mcp',
        modern(token, 'tools/list', {}, {}, 'mine'),
      )
      expect(await response.json()).toMatchObject({ id: 'mine', result: {} })
      await settle()
      const line = gateway.events.findLast(({ type }) => type === 'request')
      if (line?.['attempts'] === 2) hedged += 1
    }
    expect(aborted).toHaveLength(hedged)
    expect(gateway.events.filter(({ type }) => type === 'breaker_changed')).toEqual([])
  })
})
