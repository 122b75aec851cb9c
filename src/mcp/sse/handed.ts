import { z } from 'zod'
import { type CallContext, isPlainObject, type Principal, TenantId } from '../../core/index.ts'
import { isBatch, readBatch } from '../batch.ts'
import { classify, readMessage } from '../eras.ts'

const PrincipalOf: z.ZodType<Principal> = z.object({
  issuer: z.string(),
  subject: z.string(),
  kind: z.enum(['user', 'service', 'agent']),
  tenant: TenantId,
  groups: z.array(z.string()),
  scopes: z.array(z.string()),
  expiresAt: z.number(),
  key: z.string(),
  claims: z.record(z.string(), z.unknown()),
})

/** What one POST brought, as it is handed to the Worker that holds the stream. */
export const Handed = z.object({
  /** Of the POST: its own event line and that of the message have it in common. */
  requestId: z.string(),
  /** Who posted, by the token of the POST: its rights count, not those of the stream's token. */
  principal: PrincipalOf,
  /** `one_way`: nothing answers it. */
  kind: z.enum(['initialize', 'request', 'batch', 'initialized', 'cancel', 'one_way']),
  /** Messages in it; more than one in a batch. */
  count: z.number(),
  /** Of a request, raw JSON. */
  id: z.string().optional(),
  /** What a cancel cancels, as canonical JSON. */
  cancels: z.string().optional(),
  /** The body of the POST. */
  text: z.string(),
})
export type Handed = Readonly<z.infer<typeof Handed>>

/**
 * Reads the body of a POST so far as handing it on needs. Throws what refuses a body at any MCP
 * endpoint: `parse_error`, `invalid_request`, `body_too_large`.
 */
export function readHanded(ctx: CallContext, principal: Principal, text: string): Handed {
  const common = { requestId: ctx.requestId, principal, text, count: 1 }
  if (isBatch(text)) return { ...common, kind: 'batch', count: readBatch(text).length }
  const message = readMessage(text)
  const { id } = message
  const { method, params, ...body } = message.body
  if (id) {
    const kind = method === 'initialize' ? 'initialize' : 'request'
    const isAnswer = method === undefined && ('result' in body || 'error' in body)
    return isAnswer
      ? { ...common, kind: 'one_way' }
      : { ...common, kind, id: text.slice(id.start, id.end) }
  }
  // What is no message at all can be answered here alone.
  classify(message, new Headers())
  switch (method) {
    case 'notifications/initialized':
      return { ...common, kind: 'initialized' }
    case 'notifications/cancelled': {
      const requestId = isPlainObject(params) ? params['requestId'] : undefined
      return { ...common, kind: 'cancel', cancels: JSON.stringify(requestId ?? null) }
    }
    default:
      return { ...common, kind: 'one_way' }
  }
}

/** An id as it is compared: a client may spell it in another way when it cancels. */
export function canonicalId(raw: string): string {
  return JSON.stringify(JSON.parse(raw))
}
