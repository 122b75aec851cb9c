import type { Actor } from '../../policy/index.ts'
import type { TenantSnapshot } from '../../registry/index.ts'
import type { InboundRequest } from '../eras.ts'
import type { SharedSession } from '../session/sessions.ts'
import type { SharedEndpoint } from './endpoint.ts'

/** One request of a shared endpoint, and everything known of its caller. */
export interface SharedRequest {
  readonly endpoint: SharedEndpoint
  readonly actor: Actor
  readonly snapshot: TenantSnapshot
  readonly inbound: InboundRequest
  readonly headers: Headers
  /** Of a legacy client; absent before it has one. */
  readonly session?: SharedSession
}

/** What the gateway answers by itself: the result as JSON. */
export interface LocalAnswer {
  readonly result: string
  readonly headers?: Readonly<Record<string, string>>
}
