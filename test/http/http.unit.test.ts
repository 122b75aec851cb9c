import { Hono } from 'hono'
import { HTTPException } from 'hono/http-exception'
import { beforeEach, describe, expect, it } from 'vitest'
import { type CallContext, ERROR_WIRE, GatewayError, systemRandom } from '../../src/core/index.ts'
import { addressRefusal } from '../../src/http/address-guard.ts'
import {
  createRenderProblem,
  createServe,
  type HttpEnv,
  notFoundHandler,
  problemHandler,
  problemResponse,
  requestContext,
  type Serve,
} from '../../src/http/index.ts'
import { createEvents } from '../../src/observability/index.ts'

const ORIGIN = 'https://app.example.com'

let now: number
let lines: Record<string, unknown>[]
let behind: Promise<unknown>[]
let app: Hono<HttpEnv>
let serve: Serve
let context: CallContext | undefined

beforeEach(() => {
  now = 1_000
  lines = []
  behind = []
  context = undefined
  const clock = { now: () => now }
  const events = createEvents((line) => lines.push(JSON.parse(line)), clock.now)
  app = new Hono<HttpEnv>()
  const renderProblem = createRenderProblem(events, (scope) => `Bearer scope="${scope}"`)
  const guards = { allowedHosts: new Set(['gate.example']), allowedOrigins: new Set([ORIGIN]) }
  serve = createServe({ clock, random: systemRandom, events, guards, renderProblem })
  app.onError(problemHandler(renderProblem))
  app.notFound(notFoundHandler)
  app.use(requestContext)
  app.get('/ok/:name', (c) => {
    context = c.get('call')
    now += 7
    return c.text('ok')
  })
})

const send = (path: string, init: RequestInit = {}) => {
  const request = new Request(`https://gate.example${path}`, init)
  const platform = { waitUntil: (work: Promise<unknown>) => void behind.push(work) }
  return serve(request, platform, async (call) => app.fetch(request, { call }))
}

const requestLines = () => lines.filter(({ type }) => type === 'request')

describe('the event line of a request', () => {
  it('says what was asked and how it ended, once', async () => {
    const response = await send('/ok/alice')
    expect(await response.text()).toBe('ok')
    expect(lines).toEqual([
      {
        time: new Date(1_007).toISOString(),
        type: 'request',
        requestId: response.headers.get('x-request-id'),
        httpMethod: 'GET',
        status: 200,
        durationMs: 7,
        outcome: 'ok',
        route: '/ok/:name',
      },
    ])
  })

  it('names the route and never the path or the query', async () => {
    await send('/ok/secret-name?token=secret-query')
    expect(JSON.stringify(lines)).not.toContain('secret')
  })

  it('carries what was found out on the way', async () => {
    app.get('/facts', (c) => {
      Object.assign(c.get('call').facts, { tenant: 'acme', tool: 'echo', outcome: 'tool_error' })
      return c.text('')
    })
    await send('/facts')
    expect(requestLines()).toMatchObject([{ tenant: 'acme', tool: 'echo', outcome: 'tool_error' }])
  })

  it.each(['/no/such', '/ok'])('says that nothing is at %s', async (path) => {
    expect((await send(path)).status).toBe(404)
    expect(requestLines()).toMatchObject([{ status: 404, outcome: 'not_found' }])
  })

  it('waits for an answer that streams, and is written once however often it is released', async () => {
    let release: () => void = () => undefined
    app.get('/stream', (c) => {
      release = c.get('call').holdEvent()
      return c.text('')
    })
    await send('/stream')
    expect(requestLines()).toEqual([])
    now += 50
    release()
    release()
    expect(requestLines()).toMatchObject([{ status: 200, durationMs: 50 }])
  })

  it('waits until the last of several has let go, and is written once', async () => {
    const releases: (() => void)[] = []
    app.get('/streams', (c) => {
      releases.push(c.get('call').holdEvent(), c.get('call').holdEvent())
      return c.text('')
    })
    await send('/streams')
    const [first, second] = releases
    first?.()
    first?.()
    expect(requestLines()).toEqual([])
    now += 50
    second?.()
    expect(requestLines()).toMatchObject([{ status: 200, durationMs: 50 }])
  })

  it('is not written again for who holds it too late', async () => {
    let call: CallContext | undefined
    app.get('/late', (c) => {
      call = c.get('call')
      return c.text('')
    })
    await send('/late')
    call?.holdEvent()()
    expect(requestLines()).toHaveLength(1)
  })

  it('is not lost when the stream ended before its headers went out', async () => {
    app.get('/short', (c) => {
      c.get('call').holdEvent()()
      return c.text('')
    })
    await send('/short')
    expect(requestLines()).toHaveLength(1)
  })
})

describe('work behind a response', () => {
  it('keeps the invocation alive, and its failure is an event, not a crash', async () => {
    await send('/ok/a')
    context?.waitUntil(Promise.reject(new Error('too late')))
    // One until the request was handled, and this.
    expect(behind).toHaveLength(2)
    await Promise.all(behind)
    expect(lines.at(-1)).toMatchObject({
      type: 'fault',
      where: 'behind',
      error: 'Error: too late',
      requestId: context?.requestId,
    })
  })
})

describe('the caller who goes away', () => {
  it('is seen by whoever works for the request', async () => {
    const gone = new AbortController()
    await send('/ok/a', { signal: gone.signal })
    expect(context?.caller.signal.aborted).toBe(false)
    gone.abort()
    expect(context?.caller.signal.aborted).toBe(true)
  })
})

describe('what a route throws', () => {
  const thrower = (thrown: unknown) => {
    app.get('/throws', () => {
      throw thrown
    })
    return send('/throws', { headers: { origin: ORIGIN } })
  }

  it('is a problem with its own words when it was written for the caller', async () => {
    const response = await thrower(
      new GatewayError('conflict', 'That name is taken.', {
        fix: 'Take another.',
        headers: { 'retry-after': '3' },
        data: { path: 'x', status: 200, code: 'forged', requestId: 'forged' },
      }),
    )
    expect(response.status).toBe(409)
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(response.headers.get('retry-after')).toBe('3')
    expect(response.headers.get('access-control-allow-origin')).toBe(ORIGIN)
    expect(await response.json()).toEqual({
      type: 'urn:gatehouse:error:conflict',
      title: 'Conflict',
      status: 409,
      code: 'conflict',
      detail: 'That name is taken.',
      fix: 'Take another.',
      requestId: response.headers.get('x-request-id'),
      path: 'x',
    })
    expect(lines.map(({ type }) => type)).toEqual(['request'])
  })

  it('is a 500 that tells the caller nothing and the operator what it was', async () => {
    const response = await thrower(new TypeError('secret internals', { cause: new Error('why') }))
    expect(response.status).toBe(500)
    const text = await response.text()
    expect(text).not.toMatch(/secret|TypeError|stack/)
    expect(JSON.parse(text)).toMatchObject({
      code: 'internal',
      detail: 'Something went wrong inside the gateway.',
    })
    expect(lines).toMatchObject([
      { type: 'fault', where: 'http', error: 'TypeError: secret internals <- Error: why' },
      { type: 'request', status: 500, outcome: 'internal' },
    ])
  })

  it.each([
    [413, 413, 'body_too_large'],
    [400, 400, 'invalid_request'],
    [422, 400, 'invalid_request'],
    [500, 500, 'internal'],
  ] as const)('by hono with %i is %i %s', async (thrown, status, code) => {
    const response = await thrower(new HTTPException(thrown, { message: 'hono says' }))
    expect(response.status).toBe(status)
    expect(await response.json()).toMatchObject({ code, status })
  })
})

describe('a problem document', () => {
  it('exists for every error there is', async () => {
    for (const code of Object.keys(ERROR_WIRE) as (keyof typeof ERROR_WIRE)[]) {
      const response = problemResponse(new GatewayError(code, 'What.'), 'request-1')
      const { status, title, fix } = ERROR_WIRE[code]
      expect(response.status).toBe(status)
      expect(await response.json()).toEqual({
        type: `urn:gatehouse:error:${code}`,
        title,
        status,
        code,
        detail: 'What.',
        fix,
        requestId: 'request-1',
      })
    }
  })

  it('is the same for every request of an address that floods, and has no id of any', async () => {
    const { title, fix } = ERROR_WIRE.rate_limited
    for (const response of [addressRefusal(), addressRefusal()]) {
      expect(response.status).toBe(429)
      expect(Object.fromEntries(response.headers)).toEqual({
        'cache-control': 'no-store',
        'content-type': 'application/problem+json',
        'retry-after': '10',
        'x-content-type-options': 'nosniff',
      })
      expect(await response.json()).toEqual({
        ...{ type: 'urn:gatehouse:error:rate_limited', title, status: 429, code: 'rate_limited' },
        ...{ detail: 'Too many requests come from your address.', fix },
      })
    }
  })
})

describe('the guards', () => {
  it('come before the route: a refused request runs nothing', async () => {
    await send('/ok/a', { headers: { host: 'evil.example' } })
    await send('/ok/a', { headers: { origin: 'https://evil.example' } })
    await send('/ok/a', { method: 'OPTIONS', headers: { origin: ORIGIN } })
    expect(context).toBeUndefined()
    expect(requestLines()).toMatchObject([
      { status: 403, outcome: 'host_forbidden' },
      { status: 403, outcome: 'origin_forbidden' },
      { status: 204, outcome: 'ok' },
    ])
  })

  it('add to Vary, and take nothing from it', async () => {
    app.get('/varies', (c) => c.text('', 200, { vary: 'Accept' }))
    const response = await send('/varies', { headers: { origin: ORIGIN } })
    expect(response.headers.get('vary')).toBe('Accept, Origin')
  })
})
