import type { Outbound, OutboundFault } from '../../core/index.ts'

/** Of one message; what a client may be sent at most (`answer/large-event.ts`). */
export const MAX_LINK_MESSAGE_BYTES = 32 * 1024 * 1024

/** A connection that is open. */
export interface Connection {
  send(text: string, how: SendOptions): Promise<Sent>
  /** Idempotent. */
  close(): void
  /** Settles when it is over, whoever ended it. Never rejects. */
  readonly closed: Promise<void>
}

export interface SendOptions {
  readonly headers: Headers
  readonly timeoutMs: number
  readonly signal?: AbortSignal
}

/** What became of a message on its way out. */
export type Sent =
  | { readonly kind: 'sent' }
  /** The server refused it, and says why. */
  | { readonly kind: 'refused'; readonly response: Response }
  | { readonly kind: 'fault'; readonly fault: OutboundFault }

/** Where and how to connect. */
export interface ConnectionTarget extends Pick<SendOptions, 'timeoutMs'> {
  readonly url: string
  /** For the upstream, custom headers included. */
  readonly headers: Headers
  /** Ends the attempt, not the connection. */
  readonly signal: AbortSignal
}

export type Opened =
  | { readonly kind: 'open'; readonly connection: Connection }
  | Exclude<Sent, { kind: 'sent' }>

/** Opens a connection; `onMessage` is given each text that comes, in order. */
export type OpenConnection = (
  outbound: Pick<Outbound, 'send'>,
  target: ConnectionTarget,
  onMessage: (text: string) => void,
) => Promise<Opened>
