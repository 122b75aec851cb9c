import { z } from 'zod'
import { type ServerId, TenantId, toGatewayError } from '../../core/index.ts'
import { type Opening, type OpenSessionInput, UpstreamSession } from '../session/session-state.ts'
import { openSession } from '../upstream/open-session.ts'
import type { UpstreamOutbound } from '../upstream/transports.ts'

/** The one session that an object keeps at a server; no credential is stored with it. */
export interface KeptSession {
  /** @see BridgeStub.session */
  open(
    of: { readonly tenant: TenantId; readonly server: ServerId },
    input: OpenSessionInput,
    goneId?: string,
  ): Promise<Opening>
  /** What is kept, so that it can be closed. */
  kept(): Kept | undefined
}

const SCHEMA_VERSION = 1

const Kept = z.object({
  schema: z.literal(SCHEMA_VERSION),
  tenant: TenantId,
  session: UpstreamSession,
})
export type Kept = z.infer<typeof Kept>

export interface KeptSessionDeps {
  readonly kv: SyncKvStorage
  outbound(): UpstreamOutbound
  /** The session that was kept is over. */
  onGone(): Promise<void>
}

/** @see KeptSession */
export function createKeptSession({ kv, outbound, onGone }: KeptSessionDeps): KeptSession {
  let opening: Promise<Opening> | undefined

  const kept = (): Kept | undefined => Kept.safeParse(kv.get('kept')).data

  async function openNew(
    { tenant, server }: Parameters<KeptSession['open']>[0],
    input: OpenSessionInput,
  ): Promise<Opening> {
    try {
      await onGone()
      const opened = await openSession(outbound(), input)
      if (opened.kind === 'failed') {
        const { error, outcome, status } = opened
        const code = error.code === 'upstream_timeout' ? error.code : 'upstream_failed'
        return { kind: 'failed', code, message: error.message, outcome, status }
      }
      const { sessionId: upstreamId = '', version, outcome } = opened
      const { server: path, endpoint } = input
      const session = { server, path, endpoint, upstreamId, version }
      const stored: Kept = { schema: SCHEMA_VERSION, tenant, session }
      kv.put('kept', stored)
      return { kind: 'open', session, outcome }
    } catch (thrown) {
      const { message } = toGatewayError(thrown)
      return { kind: 'failed', code: 'upstream_failed', message, outcome: undefined }
    }
  }

  return {
    kept,

    async open(of, input, goneId) {
      const known = kept()?.session
      if (known && known.upstreamId !== goneId) {
        return { kind: 'open', session: known, outcome: undefined }
      }
      // Within one object a shared promise is safe, and it is what makes this single-flight.
      if (opening) return { ...(await opening), outcome: undefined }
      opening = openNew(of, input).finally(() => {
        opening = undefined
      })
      return opening
    },
  }
}
