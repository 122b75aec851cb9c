/** Any number of upstreams, by host name: `modern-*` and `unknown-*` are modern, others legacy. */
export interface ScriptedUpstream {
  answer(request: Request): Promise<Response>
  /** Legacy sessions that were opened and not closed. */
  openSessions(): number
}

interface Message {
  readonly id?: unknown
  readonly method: string
}

/** They offer one page of each list. */
export function upstreamOf(
  options: { readonly isDown?: boolean; readonly tools?: readonly string[] } = {},
): ScriptedUpstream {
  const sessions = new Set<string>()
  const tools = (options.tools ?? ['echo']).map((name) => ({
    name,
    inputSchema: { type: 'object' },
  }))
  const lists: Readonly<Record<string, object>> = {
    'tools/list': { tools },
    'resources/list': { resources: [{ uri: 'file:///a', name: 'a' }] },
    'resources/templates/list': { resourceTemplates: [{ uriTemplate: 'file:///{b}', name: 'b' }] },
    'prompts/list': { prompts: [{ name: 'p' }] },
  }
  const capabilities = { tools: {}, resources: {}, prompts: {} }

  function modern({ id, method }: Message): Response {
    const base = { resultType: 'complete', ttlMs: 0, cacheScope: 'public' }
    const result =
      method === 'server/discover'
        ? {
            supportedVersions: ['2026-07-28'],
            capabilities,
            serverInfo: { name: 'scripted', version: '1' },
          }
        : lists[method]
    if (result) return Response.json({ jsonrpc: '2.0', id, result: { ...base, ...result } })
    const data = { supported: ['2026-07-28'], requested: '2025-11-25' }
    const error = { code: -32022, message: 'Unsupported protocol version', data }
    return Response.json({ jsonrpc: '2.0', id: id ?? null, error }, { status: 400 })
  }

  function legacy({ id, method }: Message, session: string | null): Response {
    if (method === 'initialize') {
      const opened = crypto.randomUUID()
      sessions.add(opened)
      const serverInfo = { name: 'scripted', version: '1' }
      const result = { protocolVersion: '2025-11-25', capabilities, serverInfo }
      return Response.json(
        { jsonrpc: '2.0', id, result },
        { headers: { 'mcp-session-id': opened } },
      )
    }
    if (!sessions.has(session ?? '')) {
      const error = { code: -32000, message: 'Bad Request: no valid session ID provided' }
      return Response.json({ jsonrpc: '2.0', id: null, error }, { status: 400 })
    }
    if (id === undefined) return new Response(null, { status: 202 })
    return Response.json({ jsonrpc: '2.0', id, result: lists[method] ?? {} })
  }

  return {
    openSessions: () => sessions.size,
    async answer(request) {
      if (options.isDown) throw new Error('Network connection lost.')
      const session = request.headers.get('mcp-session-id')
      if (request.method === 'DELETE') {
        sessions.delete(session ?? '')
        return new Response(null, { status: 204 })
      }
      const message: Message = JSON.parse(await request.text())
      const isLegacy = new URL(request.url).hostname.startsWith('legacy-')
      return isLegacy ? legacy(message, session) : modern(message)
    },
  }
}
