import { describe, expect, it } from 'vitest'
import type { CallContext } from '../../../src/core/index.ts'
import { hearRefusal, speaksOfAnotherEra } from '../../../src/mcp/upstream/era-doubt.ts'

const MODERN = new Headers({ 'mcp-method': 'tools/call' })
const LEGACY = new Headers()
const IN_SESSION = new Headers({ 'mcp-session-id': 's' })
const error = (code: number, message = 'Bad Request') =>
  JSON.stringify({ jsonrpc: '2.0', id: null, error: { code, message } })

describe('a refusal with HTTP 400', () => {
  it.each([
    ['a modern request: the version is not spoken', MODERN, error(-32022)],
    ['a modern request: an error of the legacy era', MODERN, error(-32000)],
    ['a modern request: a session is wanted', MODERN, error(-32600, 'Missing session ID')],
    ['a modern request: a session is wanted, in plain words', MODERN, 'No Mcp-Session-Id'],
    ['a legacy request: the version is not spoken', LEGACY, error(-32022)],
    ['a legacy request in a session: modern headers are wanted', IN_SESSION, error(-32020)],
    ['a legacy request without a session: one is wanted', LEGACY, error(-32000, 'No session')],
  ])('speaks of another era to %s', (_what, headers, text) => {
    expect(speaksOfAnotherEra(headers, text)).toBe(true)
  })

  it.each([
    ['a modern request: bad params', MODERN, error(-32602, 'name is missing')],
    ['a modern request: bad headers', MODERN, error(-32020, 'session of a header')],
    ['a modern request: a page', MODERN, '<h1>Bad request</h1>'],
    ['a legacy request: bad params', LEGACY, error(-32602, 'name is missing')],
    ['a legacy request in a session that is gone', IN_SESSION, error(-32000, 'Session not found')],
    ['a legacy request: nothing', LEGACY, ''],
  ])('is a matter of its own to %s', (_what, headers, text) => {
    expect(speaksOfAnotherEra(headers, text)).toBe(false)
  })

  function hear(body: BodyInit | null) {
    const behind: Promise<unknown>[] = []
    const ctx = { waitUntil: (work: Promise<unknown>) => behind.push(work) }
    let doubts = 0
    const given = new Response(body, { status: 400, headers: { 'x-its': 'own' } })
    const heard = hearRefusal(ctx as unknown as CallContext, { headers: LEGACY }, given, () => {
      doubts += 1
    })
    return { heard, settle: () => Promise.all(behind), doubts: () => doubts }
  }

  it('is handed on as it came', async () => {
    const { heard, settle, doubts } = hear(error(-32022))
    expect(heard.status).toBe(400)
    expect(heard.headers.get('x-its')).toBe('own')
    expect(await heard.text()).toBe(error(-32022))
    await settle()
    expect(doubts()).toBe(1)
  })

  it('says nothing when it is too long, breaks off, or is empty', async () => {
    const broken = new ReadableStream({
      pull: (controller) => controller.error(new Error('reset')),
    })
    for (const body of [`${error(-32022)}${' '.repeat(70_000)}`, broken, null]) {
      const { heard, settle, doubts } = hear(body)
      await heard.text().catch(() => undefined)
      await settle()
      expect(doubts()).toBe(0)
    }
  })
})
