/** Reads and parses the body, as any MCP gateway must to route it, and passes everything on. */
export default {
  async fetch(request, env) {
    const body = await request.text()
    JSON.parse(body)
    return fetch(env.UPSTREAM_URL, { method: request.method, headers: request.headers, body })
  },
}
