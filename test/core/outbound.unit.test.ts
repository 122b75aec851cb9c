import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import {
  countWaiting,
  createDeadline,
  createOutbound,
  type Fetcher,
  type OutboundRequest,
  parsePrivateHosts,
} from '../../src/core/index.ts'

const URL_OK = 'https://mcp.example.com/mcp'

function outboundOver(fetcher: Fetcher) {
  return createOutbound({ privateHosts: parsePrivateHosts('127.0.0.1'), fetcher })
}

const post = (over: Partial<OutboundRequest> = {}): OutboundRequest => ({
  url: URL_OK,
  method: 'POST',
  headers: new Headers({ 'x-a': '1' }),
  body: '{}',
  timeoutMs: 1_000,
  ...over,
})

/** Answers when the request is aborted, and never otherwise. */
const never: Fetcher = (request) =>
  new Promise((_resolve, reject) => {
    request.signal.addEventListener('abort', () => reject(new Error('aborted')))
  })

describe('the only way out', () => {
  it('sends what it was given and gives the response back', async () => {
    const seen: Request[] = []
    const outbound = outboundOver(async (request) => {
      seen.push(request)
      return new Response('hi', { status: 418 })
    })
    const result = await outbound.send(post())
    expect(result.kind === 'response' && result.response.status).toBe(418)
    expect(seen[0]?.url).toBe(URL_OK)
    expect(seen[0]?.redirect).toBe('manual')
    expect(Object.fromEntries(seen[0]?.headers ?? [])).toMatchObject({ 'x-a': '1' })
    expect(await seen[0]?.text()).toBe('{}')
  })

  it('says that a request is under way before it is answered, and not of one that is refused', async () => {
    const { promise, resolve } = Promise.withResolvers<Response>()
    let sent = 0
    const onSent = () => {
      sent += 1
    }
    const outbound = outboundOver(() => promise)
    await outbound.send(post({ url: 'http://10.0.0.1/mcp', onSent }))
    expect(sent).toBe(0)
    const answering = outbound.send(post({ onSent }))
    await Promise.resolve()
    expect(sent).toBe(1)
    resolve(new Response())
    await answering
    expect(sent).toBe(1)
  })

  it('checks the address of every request, not only of the first', async () => {
    let calls = 0
    const outbound = outboundOver(async () => {
      calls += 1
      return new Response()
    })
    for (const url of [
      'http://169.254.169.254/latest',
      'http://10.0.0.1/',
      'http://mcp.example.com/',
      'https://localhost/',
      'https://u:p@mcp.example.com/',
      'file:///etc/passwd',
    ]) {
      for (const _attempt of [1, 2]) {
        expect(await outbound.send(post({ url }))).toMatchObject({
          kind: 'fault',
          fault: 'refused_address',
        })
      }
    }
    expect(calls).toBe(0)
    expect(await outbound.send(post({ url: 'http://127.0.0.1:1/' }))).toMatchObject({
      kind: 'response',
    })
  })

  it.each([301, 302, 303, 307, 308, 300])('follows no redirect (%i)', async (status) => {
    let calls = 0
    const outbound = outboundOver(async () => {
      calls += 1
      return new Response('x', { status, headers: { location: 'http://169.254.169.254/' } })
    })
    expect(await outbound.send(post())).toEqual({
      kind: 'fault',
      fault: 'redirect',
      message: 'The server answered with a redirect, which is never followed.',
    })
    expect(calls).toBe(1)
  })

  it('gives up when no headers come in time, and leaves what is not the last of its request', async () => {
    for (const isLast of [undefined, true] as const) {
      let left = false
      const hanging: Fetcher = (request) => {
        request.signal.addEventListener('abort', () => {
          left = true
        })
        return never(request)
      }
      const result = await outboundOver(hanging).send(
        post({ timeoutMs: 5, ...(isLast && { isLast }) }),
      )
      const message = 'No response within 5 ms.'
      expect(result).toEqual({ kind: 'fault', fault: 'timeout', message })
      expect(left).toBe(isLast === undefined)
    }
  })

  it('stops when the caller goes away, or has gone already', async () => {
    const gone = new AbortController()
    const requests = [post({ signal: gone.signal }), post({ signal: gone.signal, isLast: true })]
    const pending = requests.map((request) => outboundOver(never).send(request))
    gone.abort()
    for (const result of await Promise.all(pending)) {
      expect(result).toMatchObject({ kind: 'fault', fault: 'cancelled' })
    }
    const throwing = outboundOver(async (request) => {
      request.signal.throwIfAborted()
      return new Response()
    })
    expect(await throwing.send(post({ signal: gone.signal }))).toMatchObject({ fault: 'cancelled' })
  })

  it('blames nobody for a connection that fails when its caller has gone, however soon', async () => {
    const caller = new AbortController()
    const failing = outboundOver(async () => {
      caller.abort()
      throw new Error('reset')
    })
    const deadline = createDeadline(1_000, caller, true)
    expect(await failing.send(post({ deadline, isLast: true }))).toMatchObject({
      fault: 'cancelled',
    })
  })

  it('lets go of an answer that comes when nobody waits for it any more', async () => {
    let cancelled = false
    const body = new ReadableStream({
      cancel: () => {
        cancelled = true
      },
    })
    const late = Promise.withResolvers<Response>()
    const sent = outboundOver(() => late.promise).send(post({ timeoutMs: 5, isLast: true }))
    expect(await sent).toMatchObject({ fault: 'timeout' })
    late.resolve(new Response(body))
    await expect.poll(() => cancelled).toBe(true)
  })

  it('listens for a caller as long as there is an answer that he could leave', async () => {
    const caller = new AbortController()
    const listeners = () => getEventListeners(caller.signal, 'abort').length
    const asked = (fetcher: Fetcher) => {
      const deadline = createDeadline(1_000, caller, true)
      const signal = caller.signal
      return outboundOver(fetcher).send(post({ signal, deadline, keepsDeadline: true }))
    }
    await asked(() => Promise.reject(new Error('refused')))
    await asked(async () => new Response(null, { status: 302, headers: { location: '/' } }))
    expect(listeners()).toBe(0)
    const result = await asked(async () => new Response('{}'))
    expect(listeners()).toBe(1)
    if (result.kind === 'response') result.bodyDeadline?.release()
    expect(listeners()).toBe(0)
  })

  it('says that a connection failed, and nothing that the platform said of where', async () => {
    for (const [text, message] of [
      [
        'connect ECONNREFUSED 10.1.2.3:80',
        'The connection failed or was closed before a response came.',
      ],
      ['Network connection lost.', 'The connection failed or was closed before a response came.'],
      ['getaddrinfo ENOTFOUND secret.corp', 'The server could not be reached.'],
    ]) {
      const outbound = outboundOver(async () => {
        throw new Error(text)
      })
      expect(await outbound.send(post())).toEqual({ kind: 'fault', fault: 'network', message })
    }
  })
})

describe('a name that has to be looked up first', () => {
  const unsent: Fetcher = async () => {
    throw new Error('sent')
  }
  const over = (problemOf: () => Promise<string | undefined>, fetcher = unsent) =>
    createOutbound({ privateHosts: parsePrivateHosts(''), fetcher, hosts: { problemOf } })
  const endless = () => new Promise<undefined>(() => undefined)

  it('is waited for, and what it leads to decides', async () => {
    const good = over(
      async () => undefined,
      async () => new Response('ok'),
    )
    expect(await good.send(post())).toMatchObject({ kind: 'response' })
    const bad = over(async () => 'leads to a private address')
    expect(await bad.send(post())).toMatchObject({ fault: 'refused_address' })
  })

  it('is waited for no longer than its server is, which is not to blame', async () => {
    expect(await over(endless).send(post({ timeoutMs: 20 }))).toEqual({
      ...{ kind: 'fault', fault: 'refused_address' },
      message: 'The address has a name that could not be resolved in time.',
    })
  })

  it('is not waited for when the caller goes away, or has gone already', async () => {
    const gone = new AbortController()
    const pending = over(endless).send(post({ signal: gone.signal }))
    gone.abort()
    expect(await pending).toMatchObject({ fault: 'cancelled' })
    expect(await over(endless).send(post({ signal: gone.signal }))).toMatchObject({
      fault: 'cancelled',
    })
  })
})

describe('a JSON document from outside', () => {
  const ask = (answer: () => Response) =>
    outboundOver(async () => answer()).getJson(URL_OK, { timeoutMs: 1_000, maxBytes: 20 })

  it('is parsed', async () => {
    expect(await ask(() => new Response('{"a":[1]}'))).toEqual({ a: [1] })
  })

  it.each<[string, () => Response, string, string]>([
    ['an error', () => new Response('{}', { status: 500 }), 'upstream_failed', 'answered 500'],
    ['no JSON', () => new Response('<html>'), 'upstream_failed', 'malformed JSON'],
    ['too large', () => new Response(`"${'x'.repeat(30)}"`), 'upstream_failed', 'too large'],
    [
      'a redirect',
      () => new Response(null, { status: 302, headers: { location: URL_OK } }),
      'upstream_failed',
      'redirect',
    ],
  ])('is not %s', async (_what, answer, code, message) => {
    await expect(ask(answer)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    })
  })

  it('is not fetched from a private address', async () => {
    const outbound = outboundOver(async () => new Response('{}'))
    const options = { timeoutMs: 1_000, maxBytes: 20 }
    await expect(outbound.getJson('https://10.0.0.1/', options)).rejects.toMatchObject({
      code: 'upstream_failed',
    })
  })
})

describe('the count of waiting fetches', () => {
  it('remembers the most, and throws above six', async () => {
    const answers: (() => void)[] = []
    const counted = countWaiting(
      () => new Promise((resolve) => answers.push(() => resolve(new Response()))),
    )
    const waiting = Array.from({ length: 6 }, () => counted(new Request(URL_OK)))
    expect(counted.most()).toBe(6)
    await expect(counted(new Request(URL_OK))).rejects.toThrow('7 fetches wait')
    for (const answer of answers) answer()
    await Promise.all(waiting)
  })
})
