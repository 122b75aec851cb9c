/**
 * What a modern `tools/call` cannot go without, by hand in one function: how near to the ceiling its
 * duties alone let a gateway come. It is none: whoever asks is known, limits have no window, breakers
 * never open, an id is looked for where the benchmark's client writes it, and who is refused is told a
 * status. `Mcp-Param-*` are looked for as the specification demands (unknown ones are passed on).
 */
const TIMEOUT_MS = 30_000
/** Who leaves is looked for in calls that take longer. */
const HEARING_MS = 50
const MAX_BYTES = 4_194_304
const MAX_HELD_BYTES = 65_536
const VERSION = 'io.modelcontextprotocol/protocolVersion'
/** Of the one call that it is asked for. */
const UP = new Headers({
  accept: 'application/json, text/event-stream',
  'content-type': 'application/json',
  'user-agent': 'by-hand',
  'mcp-protocol-version': '2026-07-28',
  'mcp-method': 'tools/call',
  'mcp-name': 'echo',
})
const DOWN = new Headers({
  'content-type': 'application/json',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
})

const tokens = new Map()
const servers = new Map()
const limits = new Map()
const policy = new Map()
const breakers = new Map()
const seats = new Map()
const inFlight = new Map()

export default {
  async fetch(request, env, ctx) {
    const { headers, method: httpMethod, url } = request
    const startedAt = Date.now()
    const ownId = crypto.randomUUID()
    const requestId = headers.get('x-request-id') ?? ownId
    const path = url.slice(url.indexOf('/', 8))
    if (headers.get('origin') !== null || headers.get('host') === null) return refused(403)

    const caller = known(tokens, headers.get('authorization'), newCaller)
    if (caller.expiresAt < startedAt || !caller.audiences.includes('*')) return refused(401)

    let leave
    const within = (work) =>
      new Promise((resolve, reject) => {
        leave = () => resolve(undefined)
        work.then(resolve, reject)
      })
    const gone = () => leave?.()
    let signal
    let timer = setTimeout(() => {
      signal = request.signal
      if (signal.aborted) gone()
      else signal.addEventListener('abort', gone, { once: true })
      timer = setTimeout(gone, TIMEOUT_MS - HEARING_MS)
    }, HEARING_MS)
    const { promise: handled, resolve: handle } = Promise.withResolvers()
    ctx.waitUntil(handled)
    let seat
    let flight
    try {
      // The message, under its bounds, and what its headers say of it.
      const length = Number(headers.get('content-length') ?? Number.NaN)
      if (!(length <= MAX_BYTES)) return refused(413)
      const text = await within(request.text())
      if (text?.length !== length) return refused(408)
      const message = JSON.parse(text)
      const { method, params, id } = message
      const tool = params?.name
      if (
        message.jsonrpc !== '2.0' ||
        headers.get('content-type') !== 'application/json' ||
        !headers.get('accept')?.includes('application/json') ||
        headers.get('mcp-protocol-version') !== params?._meta?.[VERSION] ||
        headers.get('mcp-method') !== method ||
        headers.get('mcp-name') !== tool
      ) {
        return refused(400)
      }
      for (const name of headers.keys()) if (name.startsWith('mcp-param-')) return refused(400)

      // Tenant, limits, policy, breaker, a seat.
      const server = known(servers, path, newServer)
      if (server.freshUntil < startedAt) return refused(503)
      const limit = known(limits, caller.key, newLimit)
      const shared = known(limits, caller.tenant, newLimit)
      limit.left -= 1
      shared.left -= 1
      if (limit.left < 0 || shared.left < 0) return refused(429)
      if (!known(policy, `${caller.key} ${path} ${method} ${tool}`, isAllowed)) return refused(403)
      const breaker = known(breakers, server.endpoint, newBreaker)
      if (breaker.isOpen) return refused(503)
      seat = known(seats, server.endpoint, newSeats)
      seat.taken += 1

      // Sent under an id of its own.
      const rawId = JSON.stringify(id)
      const upstreamId = `"${ownId}"`
      flight = `${caller.key} ${rawId}`
      inFlight.set(flight, upstreamId)
      const body = exchanged(text, rawId, upstreamId)
      const asked = { method: 'POST', headers: UP, body, redirect: 'manual' }
      const answer = await within(fetch(env.UPSTREAM_URL, asked))
      const upstreamMs = Date.now() - startedAt

      // The answer, judged.
      const own = answer?.headers
      const isPlain =
        own?.get('content-type') === 'application/json' &&
        Number(own.get('content-length')) <= MAX_HELD_BYTES &&
        !own.has('content-encoding') &&
        !own.has('transfer-encoding')
      if (answer?.status !== 200 || !isPlain) return refused(502)
      const got = await within(answer.text())
      const judged = JSON.parse(got)
      const isOurs = judged.jsonrpc === '2.0' && JSON.stringify(judged.id) === upstreamId
      if (!isOurs || typeof judged.result !== 'object') return refused(502)
      breaker.failures = 0

      DOWN.set('x-request-id', requestId)
      DOWN.set('ratelimit-policy', limit.policy)
      DOWN.set('ratelimit', `"default";r=${limit.left};t=60`)
      const response = new Response(exchanged(got, upstreamId, rawId), { headers: DOWN })
      const now = Date.now()
      const line = {
        time: new Date(now).toISOString(),
        type: 'request',
        requestId,
        httpMethod,
        status: 200,
        durationMs: now - startedAt,
        outcome: 'ok',
        route: '/:server/mcp',
        principal: caller.key,
        tenant: caller.tenant,
        server: path,
        era: 'modern',
        method,
        tool,
        endpoint: server.endpoint,
        attempts: 1,
        upstreamMs,
      }
      console.log(JSON.stringify(line))
      return response
    } finally {
      if (seat) seat.taken -= 1
      inFlight.delete(flight)
      clearTimeout(timer)
      signal?.removeEventListener('abort', gone)
      handle()
    }
  },
}

function known(map, key, make) {
  const found = map.get(key)
  if (found !== undefined) return found
  const made = make()
  map.set(key, made)
  return made
}

function newCaller() {
  const expiresAt = Date.now() + 86_400_000
  return { expiresAt, audiences: ['*'], key: 'https://issuer#0123456789abcdef', tenant: 'default' }
}

function newServer() {
  return { freshUntil: Date.now() + 86_400_000, endpoint: '0b0d8d2c-6a0e-4b0e-8f8c-3f0c2f9c0b0d' }
}

function newLimit() {
  return { left: 1e12, policy: '"default";q=1000000;w=60' }
}

function isAllowed() {
  return true
}

function newBreaker() {
  return { isOpen: false, failures: 0 }
}

function newSeats() {
  return { taken: 0 }
}

/** The text with the one id in place of the other. */
function exchanged(text, id, other) {
  const at = text.indexOf(id, text.indexOf('"id"'))
  return text.slice(0, at) + other + text.slice(at + id.length)
}

function refused(status) {
  return new Response(null, { status })
}
