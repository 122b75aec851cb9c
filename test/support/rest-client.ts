import { expect, inject } from 'vitest'
import { createTestGateway, rest, type TestGateway } from './gateway.ts'
import type { ScriptedRoom } from './scripted-room.ts'

export const CONNECT = '/api/v1/mcp/servers/connect'

/** Of a session, as a path. */
export const sessionPath = (id: string, what = '') => `/api/v1/mcp/sessions/${id}${what}`

/** `seen` are upstream sessions that were opened through it; `open` those not ended since. */
export function watchedFetch() {
  const open = new Set<string>()
  const seen = new Set<string>()
  const fetcher = async (request: Request) => {
    const { method } = request
    const asked = request.headers.get('mcp-session-id')
    const response = await fetch(request)
    const given = response.headers.get('mcp-session-id')
    if (method === 'POST' && asked === null && given !== null) {
      open.add(given)
      seen.add(given)
    }
    if (method === 'DELETE' && response.ok && asked !== null) open.delete(asked)
    return response
  }
  return { open, seen, fetcher }
}

/** A program that speaks no MCP. */
export interface RestClient {
  send(path: string, init: RequestInit, on?: TestGateway): Promise<RestAnswer>
  get(path: string, as?: string): Promise<RestAnswer>
  post(path: string, body: unknown, as?: string): Promise<RestAnswer>
  close(id: string, as?: string): Promise<RestAnswer>
  /** Gives the session id. */
  connect(server: string, as?: string): Promise<string>
}

export interface RestAnswer {
  readonly status: number
  readonly body: Record<string, unknown>
  readonly headers: Headers
}

/** Sends as `token` unless told otherwise; every answer is settled. */
export function restClient(gateway: TestGateway, token: string): RestClient {
  async function send(path: string, init: RequestInit, on = gateway): Promise<RestAnswer> {
    const { response, settle } = await on.fetchWith(path, init)
    const text = await response.text()
    await settle()
    const { status, headers } = response
    return { status, body: text === '' ? {} : JSON.parse(text), headers }
  }
  const post = (path: string, body: unknown, as = token) => send(path, rest(as, 'POST', body))
  return {
    send,
    post,
    get: (path, as = token) => send(path, rest(as, 'GET')),
    close: (id, as = token) => send(sessionPath(id), rest(as, 'DELETE')),
    async connect(server, as = token) {
      const { status, body } = await post(CONNECT, { server_name: server }, as)
      expect(status).toBe(201)
      return String(body['session_id'])
    },
  }
}

export interface RestTenant extends RestClient {
  readonly gateway: TestGateway
  readonly token: string
}

/** A client of a tenant with the servers `scripted`, `modern` and `everything`. */
export async function restTenant(
  room: ScriptedRoom,
  options: Parameters<typeof createTestGateway>[0],
): Promise<RestTenant> {
  const gateway = createTestGateway(options)
  const token = await gateway.token()
  const client = restClient(gateway, token)
  await room.register(gateway, token)
  for (const [path, url] of [
    ['modern', inject('modernUrl')],
    ['everything', inject('everythingUrl')],
  ]) {
    const server = { path, name: path, endpoints: [{ url }] }
    expect((await client.post('/api/v1/servers', server)).status).toBe(201)
  }
  return { ...client, gateway, token }
}

export const namesOf = (items: unknown) => (items as { name: string }[]).map(({ name }) => name)
