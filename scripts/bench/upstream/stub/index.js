/** The benchmark's upstream as a Worker: what `upstream.lua` does, slower. */
const encoder = new TextEncoder()
let answers
let sessions = 0
let requests = 0

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url)
    if (pathname === '/requests') return new Response(String(requests))
    requests += 1
    answers ??= JSON.parse(env.ANSWERS)
    const kind = pathname.split('/')[1]
    const session = request.headers.get('mcp-session-id')
    if (request.method === 'DELETE') return new Response(null, { status: 204 })
    if (request.method === 'GET') {
      return kind === 'legacy' && session ? hold() : new Response(null, { status: 405 })
    }
    const body = await request.json()
    const headers = { 'content-type': 'application/json' }
    if (kind === 'legacy') {
      if (body.method === 'initialize') headers['mcp-session-id'] = `bench-${++sessions}`
      else if (!session) return refuse(body.id, 400, -32000, 'Bad Request: no session')
    } else if (!request.headers.has('mcp-method')) {
      return refuse(body.id, 400, -32022, 'Unsupported protocol version')
    }
    if (body.id === undefined) return new Response(null, { status: 202 })
    const result = answers[kind]?.[body.method]
    if (!result) return refuse(body.id, kind === 'legacy' ? 200 : 404, -32601, 'Method not found')
    const answer = `{"jsonrpc":"2.0","id":${JSON.stringify(body.id)},"result":${result}}`
    if (body.method === 'tools/call' && body.params.name === 'progress') {
      return stream(body.params._meta?.progressToken ?? null, answer, env)
    }
    return new Response(answer, { headers })
  },
}

function refuse(id, status, code, message) {
  return Response.json({ jsonrpc: '2.0', id: id ?? null, error: { code, message } }, { status })
}

function stream(progressToken, answer, env) {
  const { readable, writable } = new TransformStream()
  void writeEvents(writable.getWriter(), progressToken, answer, env)
  return new Response(readable, { headers: { 'content-type': 'text/event-stream' } })
}

async function writeEvents(writer, progressToken, answer, env) {
  const total = Number(env.PROGRESS_EVENTS)
  for (let progress = 1; progress <= total; progress += 1) {
    const params = { progressToken, progress, total }
    await write(
      writer,
      JSON.stringify({ jsonrpc: '2.0', method: 'notifications/progress', params }),
    )
    await scheduler.wait(Number(env.PROGRESS_EVERY_MS))
  }
  await write(writer, answer)
  await writer.close()
}

function write(writer, data) {
  return writer.write(encoder.encode(`event: message\ndata: ${data}\n\n`))
}

function hold() {
  const { readable, writable } = new TransformStream()
  const writer = writable.getWriter()
  const go = async () => {
    for (;;) {
      await writer.write(encoder.encode(': open\n\n'))
      await scheduler.wait(10_000)
    }
  }
  void go().catch(() => {})
  return new Response(readable, { headers: { 'content-type': 'text/event-stream' } })
}
