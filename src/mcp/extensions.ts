import { CLIENT_CAPABILITIES_META_KEY } from '@modelcontextprotocol/server'
import { isPlainObject } from '../core/index.ts'
import type { UpstreamFacts } from '../registry/index.ts'
import type { InboundRequest } from './eras.ts'
import { withText } from './inbound-text.ts'
import { editObject, members, remove, within } from './wire/edit-members.ts'

/** Extensions of MCP that the gateway knows how to carry where several servers meet. */

/** Calls that are answered later (SEP-2663). Not the experimental tasks of 2025-11-25. */
export const TASKS = 'io.modelcontextprotocol/tasks'
/** Apps: results that are shown by a `ui://` resource. */
export const UI = 'io.modelcontextprotocol/ui'

/** Whether a server says that it speaks an extension. */
export function offersExtension({ capabilities }: UpstreamFacts, name: string): boolean {
  return has(capabilities, name)
}

/** Whether a modern client says so with this request. */
export function declaresExtension(
  params: Readonly<Record<string, unknown>>,
  name: string,
): boolean {
  const meta = params['_meta']
  return isPlainObject(meta) && has(meta[CLIENT_CAPABILITIES_META_KEY], name)
}

function has(capabilities: unknown, name: string): boolean {
  const extensions = isPlainObject(capabilities) ? capabilities['extensions'] : undefined
  return isPlainObject(extensions) && isPlainObject(extensions[name])
}

/**
 * A modern request that declares no extensions but these: what cannot be carried must not be
 * negotiated.
 */
export function keepExtensions(
  inbound: InboundRequest,
  isKept: (name: string) => boolean,
): InboundRequest {
  const meta = inbound.params['_meta']
  const declared = isPlainObject(meta) ? meta[CLIENT_CAPABILITIES_META_KEY] : undefined
  const extensions = isPlainObject(declared) ? declared['extensions'] : undefined
  if (!isPlainObject(extensions) || Object.keys(extensions).every(isKept)) return inbound
  const drop = (raw: string | undefined) => {
    const dropped = members(raw ?? '').flatMap(([name]) => (isKept(name) ? [] : [name]))
    return raw && editObject(raw, Object.fromEntries(dropped.map((name) => [name, remove])))
  }
  const capabilities = within({ extensions: drop })
  const text = editObject(inbound.text, {
    params: within({ _meta: within({ [CLIENT_CAPABILITIES_META_KEY]: capabilities }) }),
  })
  const kept = Object.fromEntries(Object.entries(extensions).filter(([name]) => isKept(name)))
  const own = {
    ...(isPlainObject(meta) ? meta : {}),
    [CLIENT_CAPABILITIES_META_KEY]: {
      ...(isPlainObject(declared) ? declared : {}),
      extensions: kept,
    },
  }
  return { ...withText(inbound, text), params: { ...inbound.params, _meta: own } }
}
