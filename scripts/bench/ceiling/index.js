/**
 * The least that a Worker which reads the body can cost: parses it, as any MCP gateway must to route
 * it, sends the original text on and streams the answer back under the headers that it is given.
 */
let headers
export default {
  async fetch(request, env) {
    const body = await request.text()
    JSON.parse(body)
    const answer = await fetch(env.UPSTREAM_URL, { method: 'POST', headers: request.headers, body })
    headers ??= new Headers(JSON.parse(env.ANSWER_HEADERS))
    return new Response(answer.body, { status: answer.status, headers })
  },
}
