/** What a member of the fleet speaks; legacy sessions are sessionful. */
export type FleetEra = 'modern' | 'legacy' | 'dual'

/** `starting` answers 503; `hanging` takes requests and answers when it is `up` again. */
export type FleetMood = 'starting' | 'up' | 'hanging' | 'refusing'

export interface FleetMember {
  readonly name: string
  readonly era: FleetEra
  /** Of every list. */
  readonly pages: number
  /** Names, in the order of its list. */
  readonly tools: readonly string[]
  mood: FleetMood
  /** Requests that reached it, since the start or the last `reset`. */
  fetches: number
}

/** Many upstreams in one process. No SDK: a list of 200 tools has to be cheap. */
export interface Fleet {
  readonly members: readonly FleetMember[]
  answer(name: string, request: Request): Promise<Response>
  /** Who was held while it was hanging is answered as well. */
  setMood(members: readonly FleetMember[], mood: FleetMood): void
  reset(): void
}

interface Message {
  readonly id?: unknown
  readonly method: string
  readonly params?: { readonly name?: string; readonly cursor?: string }
}

const MODERN_BASE = { resultType: 'complete', ttlMs: 60_000, cacheScope: 'public' }

/** All are `starting`. Each has this many tools; every third gives its list in three pages. */
export function createFleet(
  names: readonly { readonly name: string; readonly era: FleetEra }[],
  toolsEach: number,
): Fleet {
  const members = names.map(({ name, era }, index): FleetMember => {
    const tools = Array.from({ length: toolsEach }, (_, at) => `tool-${at}`)
    return { name, era, pages: index % 3 === 0 ? 3 : 1, tools, mood: 'starting', fetches: 0 }
  })
  const byName = new Map(members.map((member) => [member.name, member]))
  const held = new Map<FleetMember, (() => void)[]>()
  const sessions = new Set<string>()

  function moodChange(member: FleetMember): Promise<void> {
    return new Promise((resolve) => {
      held.set(member, [...(held.get(member) ?? []), resolve])
    })
  }

  return {
    members,

    async answer(name, request) {
      const member = byName.get(name)
      if (!member) return new Response(null, { status: 404 })
      member.fetches += 1
      const body = await request.text()
      if (member.mood === 'hanging') await Promise.race([moodChange(member), aborted(request)])
      if (member.mood === 'refusing') throw new Error('Network connection lost.')
      if (member.mood === 'starting') return new Response('starting', { status: 503 })
      const session = request.headers.get('mcp-session-id') ?? ''
      if (request.method === 'DELETE') {
        sessions.delete(session)
        return new Response(null, { status: 204 })
      }
      if (request.method !== 'POST') return new Response(null, { status: 405 })
      const message: Message = JSON.parse(body)
      const isModern = request.headers.has('mcp-method')
      if (isModern && member.era !== 'legacy') return modern(member, message)
      return member.era === 'modern'
        ? refusal(message, -32022, 'Unsupported protocol version', { supported: ['2026-07-28'] })
        : legacy(member, message, sessions, session)
    },

    setMood(changed, mood) {
      for (const member of changed) {
        member.mood = mood
        for (const go of held.get(member) ?? []) go()
        held.delete(member)
      }
    },

    reset() {
      for (const member of members) member.fetches = 0
    },
  }
}

/** Rejects when the caller went away. */
function aborted({ signal }: Request): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason))
  })
}

function modern(member: FleetMember, { id, method, params }: Message): Response {
  if (method === 'server/discover') {
    const serverInfo = { name: member.name, version: '1' }
    const hello = { supportedVersions: ['2026-07-28'], capabilities: { tools: {} }, serverInfo }
    return reply(id, { ...MODERN_BASE, ...hello })
  }
  const result = resultOf(member, method, params)
  return result ? reply(id, { ...MODERN_BASE, ...result }) : methodNotFound(id)
}

function legacy(
  member: FleetMember,
  { id, method, params }: Message,
  sessions: Set<string>,
  session: string,
): Response {
  if (method === 'initialize') {
    const opened = `${member.name}-${sessions.size + 1}-${crypto.randomUUID()}`
    sessions.add(opened)
    const serverInfo = { name: member.name, version: '1' }
    const hello = { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo }
    return reply(id, hello, { 'mcp-session-id': opened })
  }
  if (!sessions.has(session)) {
    return refusal({ id, method }, -32000, 'Bad Request: no valid session ID provided')
  }
  if (id === undefined) return new Response(null, { status: 202 })
  const result = resultOf(member, method, params)
  return result ? reply(id, result) : methodNotFound(id)
}

function resultOf(
  member: FleetMember,
  method: string,
  params: Message['params'] = {},
): object | undefined {
  if (method === 'tools/list') return page(member, Number(params.cursor ?? 0))
  if (method === 'ping') return {}
  if (method !== 'tools/call') return undefined
  return { content: [{ type: 'text', text: `${member.name} ran ${params.name}` }] }
}

function page({ name, tools, pages }: FleetMember, index: number): object {
  const size = Math.ceil(tools.length / pages)
  const part = tools.slice(index * size, (index + 1) * size)
  return {
    tools: part.map((tool) => ({
      name: tool,
      description: `What ${tool} of ${name} does, in as many words as real tools take to say it.`,
      inputSchema: {
        type: 'object',
        properties: {
          query: { type: 'string', description: 'What to look for.' },
          limit: { type: 'integer', minimum: 1, maximum: 100 },
        },
        required: ['query'],
      },
    })),
    ...(index + 1 < pages ? { nextCursor: String(index + 1) } : {}),
  }
}

function reply(id: unknown, result: object, headers: Record<string, string> = {}): Response {
  return Response.json({ jsonrpc: '2.0', id, result }, { headers })
}

function methodNotFound(id: unknown): Response {
  return Response.json({ jsonrpc: '2.0', id, error: { code: -32601, message: 'Method not found' } })
}

function refusal({ id }: Message, code: number, message: string, data: object = {}): Response {
  const error = { code, message, data }
  return Response.json({ jsonrpc: '2.0', id: id ?? null, error }, { status: 400 })
}
