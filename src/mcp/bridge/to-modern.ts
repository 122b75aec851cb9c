import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  LOG_LEVEL_META_KEY,
  PROTOCOL_VERSION_META_KEY,
  SERVER_INFO_META_KEY,
} from '@modelcontextprotocol/server'
import type { InboundRequest } from '../eras.ts'
import { withText } from '../inbound-text.ts'
import { MODERN_VERSION, methodFacts } from '../messages.ts'
import type { ClientHello } from '../upstream/open-session.ts'
import { each, editObject, fill, remove, set, within } from '../wire/edit-members.ts'

/**
 * From the legacy era to the modern one, message by message; every byte that no rule names stays
 * (PROTOCOL.md 1.11).
 */

/** What a legacy client said once, and a modern server wants with every request. */
export interface ClientFace {
  readonly hello: ClientHello
  /** As `logging/setLevel` set it; a modern server logs for nobody who names none. */
  readonly logLevel?: string
}

/** The request as a modern server must see it. */
export function modernRequest(
  inbound: InboundRequest,
  { hello, logLevel }: ClientFace,
): InboundRequest {
  // Tasks of 2025-11-25 are another thing than the extension of the same name.
  const { tasks: _tasks, extensions: _extensions, ...capabilities } = hello.capabilities
  const meta = within({
    [PROTOCOL_VERSION_META_KEY]: set(MODERN_VERSION),
    [CLIENT_CAPABILITIES_META_KEY]: set(capabilities),
    [CLIENT_INFO_META_KEY]: set(hello.clientInfo),
    [LOG_LEVEL_META_KEY]: logLevel === undefined ? remove : set(logLevel),
  })
  const text = editObject(inbound.text, {
    params: within({ _meta: meta, inputResponses: remove, requestState: remove, task: remove }),
  })
  return { ...withText(inbound, text), era: 'modern', version: MODERN_VERSION }
}

/**
 * A legacy server's result, given as JSON, as a modern client must see it. Nothing of a session may
 * be kept longer than the call, or shown to anybody else.
 */
export function modernResult(method: string, result: string, serverInfo: object): string {
  const caching = methodFacts(method).isCacheable
    ? { ttlMs: set(0), cacheScope: set('private') }
    : {}
  return editObject(result, {
    resultType: set('complete'),
    ...caching,
    ...(method === 'tools/list' ? { tools: each(withoutExecution) } : {}),
    _meta: within({ [SERVER_INFO_META_KEY]: fill(serverInfo) }),
  })
}

/** It says how a tool may be called as a task of 2025-11-25, which no modern client can. */
const withoutExecution = (tool: string): string => editObject(tool, { execution: remove })

/** Resource not found, and a dialog at a URL, until 2025-11-25. */
const GIVEN_UP: Readonly<Record<string, string>> = { '-32002': '-32602', '-32042': '-32603' }

/** A legacy server's error, given as JSON: codes that the modern era gave up (PROTOCOL.md 1.7). */
export function modernError(error: string): string {
  return editObject(error, {
    code: (raw) => GIVEN_UP[raw ?? ''] ?? raw,
  })
}
