import { z } from 'zod'
import { EndpointId, type ServerId, type TenantId } from '../../core/index.ts'
import { Transport } from '../../registry/index.ts'
import type { Busy, Opening, OpenSessionInput } from '../session/session-state.ts'

/**
 * One call in an upstream session of the object, with all it takes to hold it: the object knows no
 * server and no credential of its own, and stores neither.
 */
export const HeldCall = z.object({
  /** The object's own name: a client's retry is brought back by it. */
  bridge: z.string(),
  /** Names the call, and nothing else. */
  callId: z.string(),
  endpoint: EndpointId,
  transport: Transport,
  url: z.string(),
  /** Custom headers of the server, set by its administrator. */
  custom: z.array(z.tuple([z.string(), z.string()])),
  timeoutMs: z.number(),
  sessionId: z.string(),
  /** The revision to announce. */
  version: z.string(),
  /** Headers of the request itself. */
  headers: z.array(z.tuple([z.string(), z.string()])),
  body: z.string(),
  /** Our id towards the upstream, raw JSON. */
  upstreamId: z.string(),
  method: z.string(),
  serverInfo: z.record(z.string(), z.unknown()),
  capabilities: z.record(z.string(), z.unknown()),
  logLevel: z.string().optional(),
})
export type HeldCall = z.infer<typeof HeldCall>

/** A parked call goes on with what the client answered. */
export const ResumedCall = z.object({
  callId: z.string(),
  /** `inputResponses` as the client wrote it, raw JSON. */
  inputs: z.string(),
  /** The id under which the answer is expected now, raw JSON. */
  upstreamId: z.string(),
})
export type ResumedCall = z.infer<typeof ResumedCall>

/**
 * The RPC surface of a BridgeObject, one per (tenant, principal, server, capability set): the session
 * that the gateway has at a legacy server for a modern client, and the calls that wait for it.
 */
export interface BridgeStub {
  /**
   * The upstream session, opened by the first who asks; `goneId` is one that the upstream forgot, or
   * whose endpoint is gone.
   */
  session(
    of: { readonly tenant: TenantId; readonly server: ServerId },
    input: OpenSessionInput,
    goneId?: string,
  ): Promise<Opening>
  /**
   * The same for a session that is to be opened on another endpoint, while it has no call that its
   * server could still ask something about.
   */
  move(
    of: { readonly tenant: TenantId; readonly server: ServerId },
    input: OpenSessionInput,
    leftId: string,
  ): Promise<Opening | Busy>
  /** The session is in use; one that is not is closed after an hour or two. */
  touch(): Promise<void>
  /** Ends a parked call without another word to its upstream. */
  drop(callId: string): Promise<void>
  /** Tells the upstream that nobody waits for the call any more. */
  cancel(callId: string): Promise<void>
  /**
   * `POST /call` with a `HeldCall`, `POST /resume` with a `ResumedCall`: the answer as a modern
   * server gives it; 410 for a call that is not held here (any more). A request that got no answer
   * is 502 with its fault (`wire/fault-header.ts`).
   */
  fetch(url: string, init: RequestInit): Promise<Response>
}

/** Of a `HeldCall` that is not sent, since too many are held. */
export const BUSY_HEADER = 'x-gatehouse-busy'
