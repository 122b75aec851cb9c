import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  LOG_LEVEL_META_KEY,
  PROTOCOL_VERSION_META_KEY,
  SERVER_INFO_META_KEY,
  SUBSCRIPTION_ID_META_KEY,
} from '@modelcontextprotocol/server'
import type { InboundRequest } from '../eras.ts'
import { withText } from '../inbound-text.ts'
import {
  each,
  editObject,
  type MemberEdit,
  type MemberEdits,
  rawMember,
  remove,
  within,
} from '../wire/edit-members.ts'

/**
 * From the modern era to the legacy one, message by message; every byte that no rule names stays
 * (PROTOCOL.md 1.11).
 */

/** What belongs to one hop of the modern era, and to no legacy message. */
const ENVELOPE: MemberEdits = {
  [PROTOCOL_VERSION_META_KEY]: remove,
  [CLIENT_CAPABILITIES_META_KEY]: remove,
  [CLIENT_INFO_META_KEY]: remove,
  [LOG_LEVEL_META_KEY]: remove,
  [SERVER_INFO_META_KEY]: remove,
  [SUBSCRIPTION_ID_META_KEY]: remove,
}

/** An empty `_meta` says nothing. */
const meta: MemberEdit = (raw) => {
  const edited = within(ENVELOPE)(raw)
  return edited === '{}' ? undefined : edited
}

/** The request as a legacy server that negotiated `version` must see it. */
export function legacyRequest(inbound: InboundRequest, version: string): InboundRequest {
  const text = editObject(inbound.text, {
    // A modern client has no tasks of 2025-11-25.
    params: within({ _meta: meta, inputResponses: remove, requestState: remove, task: remove }),
  })
  return { ...withText(inbound, text), era: 'legacy', version }
}

/** A modern server's result, given as JSON, as a legacy client must see it. */
export function legacyResult(method: string, result: string): string {
  return editObject(result, {
    resultType: remove,
    ttlMs: remove,
    cacheScope: remove,
    _meta: meta,
    ...RESULTS[method],
  })
}

/** Until 2025-11-25 the root of a tool's schemas and of its structured content is an object. */
const RESULTS: Readonly<Record<string, MemberEdits>> = {
  'tools/list': { tools: each(legacyTool) },
  'tools/call': { structuredContent: (raw) => (raw?.startsWith('{') ? raw : undefined) },
}

/** A modern server's tool, given as JSON, as a legacy client must see it. */
export function legacyTool(tool: string): string {
  return editObject(tool, { outputSchema: keepObjectSchema, execution: remove })
}

const keepObjectSchema: MemberEdit = (raw) =>
  raw !== undefined && rawMember(raw, 'type') === '"object"' ? raw : undefined
