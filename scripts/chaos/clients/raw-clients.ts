import { STEADY } from '../servers.ts'
import { type Asker, createAsker, headersOf, isAnswerTo } from './ask.ts'
import { type Desk, placeOf } from './desk.ts'
import { readAnswer, sendOnce } from './http.ts'
import type { Step } from './plan.ts'

/** A client that takes one step after the other. */
export interface ChaosClient {
  /** Never throws: whatever happens is written down. */
  take(step: Step): Promise<void>
  close(): Promise<void>
}

const MODERN = '2026-07-28'
const LEGACY = '2025-11-25'
const INFO = { name: 'chaos', version: '1' }

/** A client of 2026-07-28 that speaks HTTP by hand, for the sake of exact accounts. */
export function createModernClient(desk: Desk): ChaosClient {
  const asker = createAsker(desk)
  return {
    async take(step) {
      if (step.kind === 'list' || step.kind === 'call') {
        await ask(desk, asker, step, (method, name) => ({
          headers: {
            'mcp-protocol-version': MODERN,
            'mcp-method': method,
            ...(name === undefined ? {} : { 'mcp-name': name }),
          },
          meta: {
            'io.modelcontextprotocol/protocolVersion': MODERN,
            'io.modelcontextprotocol/clientCapabilities': {},
            'io.modelcontextprotocol/clientInfo': INFO,
          },
        }))
      }
    },
    close: async () => {},
  }
}

/** A client of 2025-11-25 that speaks HTTP by hand: a session for every endpoint it meets. */
export function createLegacyClient(desk: Desk): ChaosClient {
  const asker = createAsker(desk)
  const sessions = new Map<string, string>()
  const inSession = (id: string) => ({ 'mcp-session-id': id, 'mcp-protocol-version': LEGACY })

  async function sessionAt(step: Step, path: string): Promise<string | undefined> {
    const known = sessions.get(path)
    if (known !== undefined) return known
    const { record, answer } = await asker.ask({
      step,
      path,
      method: 'initialize',
      headers: {},
      paramsOf: () => ({ protocolVersion: LEGACY, capabilities: {}, clientInfo: INFO }),
      isExpected: (result) => typeof result === 'object',
    })
    const id = answer.headers['mcp-session-id']
    if (record.outcome.kind !== 'result' || id === undefined) return undefined
    const told = await sendOnce({
      url: `${desk.urls[step.isolate]}${path}`,
      headers: headersOf(desk, inSession(id)),
      body: JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' }),
    })
    if (told.status !== 202) return undefined
    sessions.set(path, id)
    desk.sessions.hold(desk.client, { canary: desk.canary, path, id })
    return id
  }

  function forget(path: string): void {
    sessions.delete(path)
    desk.sessions.drop(desk.client, path)
  }

  async function end(isolate: number, path: string): Promise<void> {
    const id = sessions.get(path)
    if (id === undefined) return
    forget(path)
    const headers = headersOf(desk, inSession(id))
    await sendOnce({ url: `${desk.urls[isolate]}${path}`, method: 'DELETE', headers, body: '' })
  }

  /** With its own token, in a session that is another principal's. */
  async function trespass(step: Step): Promise<void> {
    const stolen = desk.sessions.borrow(desk.random, desk.canary)
    if (!stolen) return
    const startedAt = Date.now()
    const params = { name: 'echo', arguments: { nonce: 'trespass', canary: desk.canary } }
    const answer = await sendOnce({
      url: `${desk.urls[step.isolate]}${stolen.path}`,
      headers: headersOf(desk, inSession(stolen.id)),
      body: JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'tools/call', params }),
    })
    const { outcome } = readAnswer(answer, 0, desk.canary, () => false)
    const who = { client: desk.client, owner: stolen.canary }
    desk.recordTrespass({ ...who, startedAt, endedAt: Date.now(), outcome })
  }

  return {
    async take(step) {
      const { path } = placeOf(step.at, step.server)
      if (step.kind === 'end_session') return end(step.isolate, path)
      if (step.kind === 'trespass') return trespass(step)
      const id = await sessionAt(step, path)
      if (id === undefined) return
      const record = await ask(desk, asker, step, () => ({ headers: inSession(id), meta: {} }))
      const { outcome } = record
      if (outcome.kind === 'error' && outcome.code === 'session_not_found') forget(path)
    },
    async close() {
      for (const path of [...sessions.keys()]) await end(0, path)
    },
  }
}

/** A call or a list, in the words of the client's era. */
async function ask(
  desk: Desk,
  asker: Asker,
  step: Step & { readonly kind: 'list' | 'call' },
  words: (
    method: string,
    name?: string,
  ) => { readonly headers: Readonly<Record<string, string>>; readonly meta: object },
) {
  const { path, nameOf } = placeOf(step.at, step.server)
  if (step.kind === 'list') {
    const { headers, meta } = words('tools/list')
    const { record } = await asker.ask({
      ...{ step, path, headers, method: 'tools/list' },
      paramsOf: () => ({ _meta: meta }),
      isExpected: listsSteadyServers,
    })
    return record
  }
  const { tool, leaveAfterMs } = step
  const name = nameOf(tool)
  const { headers, meta } = words('tools/call', name)
  const { record } = await asker.ask({
    ...{ step, path, headers, tool, leaveAfterMs, method: 'tools/call' },
    paramsOf: (nonce) => ({
      name,
      arguments: { nonce, canary: desk.canary },
      _meta: { ...meta, ...(tool === 'stream' ? { progressToken: nonce } : {}) },
    }),
    isExpected: isAnswerTo(desk, step.server, tool),
  })
  return record
}

/** Whatever happens to the others, the list of `/mcp` has the tools of those that are well. */
function listsSteadyServers(result: unknown): boolean {
  const text = JSON.stringify(result)
  return STEADY.every((server) => text.includes(`"${server}__echo"`))
}
