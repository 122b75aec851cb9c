import { type CallContext, type Outbound, toGatewayError } from '../../core/index.ts'
import type { UpstreamAddress, UpstreamFacts } from '../../registry/index.ts'
import { MODERN_VERSION } from '../messages.ts'
import { faultError, statusError } from './failure.ts'
import { hopTwoHeaders } from './headers.ts'
import { openSession } from './open-session.ts'

/** What one health probe found. */
export type ProbeOutcome =
  | { readonly kind: 'up'; readonly latencyMs: number }
  | { readonly kind: 'down'; readonly error: string }

/** Asks one endpoint whether it speaks MCP, in the cheapest way its era has. Never throws. */
export type ProbeUpstream = (
  ctx: CallContext,
  upstream: UpstreamAddress & { readonly eras: UpstreamFacts['eras'] },
) => Promise<ProbeOutcome>

const DISCOVER = JSON.stringify({
  jsonrpc: '2.0',
  id: 'gatehouse-probe',
  method: 'server/discover',
  params: {
    _meta: {
      'io.modelcontextprotocol/protocolVersion': MODERN_VERSION,
      'io.modelcontextprotocol/clientCapabilities': {},
      'io.modelcontextprotocol/clientInfo': { name: 'gatehouse', version: '0.1.0' },
    },
  },
})

/** Legacy revision for probes: every legacy server negotiates from the newest down. */
const LEGACY_PROBE_VERSION = '2025-11-25'

/** @see ProbeUpstream */
export function createProbe(outbound: Outbound): ProbeUpstream {
  return async (ctx, upstream) => {
    const startedAt = ctx.clock.now()
    try {
      if (upstream.eras === 'legacy') await probeLegacy(outbound, upstream)
      else await probeModern(outbound, upstream)
      return { kind: 'up', latencyMs: ctx.clock.now() - startedAt }
    } catch (thrown) {
      return { kind: 'down', error: toGatewayError(thrown).message }
    }
  }
}

async function probeModern(outbound: Outbound, upstream: UpstreamAddress): Promise<void> {
  const headers = hopTwoHeaders({ custom: upstream.headers, version: MODERN_VERSION })
  headers.set('mcp-method', 'server/discover')
  const { url, timeoutMs } = upstream
  const result = await outbound.send({ url, method: 'POST', headers, body: DISCOVER, timeoutMs })
  if (result.kind === 'fault') throw faultError(result.fault, 'probe', timeoutMs)
  await result.response.body?.cancel()
  if (!result.response.ok) throw statusError(result.response.status, 'probe')
}

/** A legacy server answers nothing without a handshake; the session it opens is closed again. */
async function probeLegacy(outbound: Outbound, upstream: UpstreamAddress): Promise<void> {
  const { url, timeoutMs, headers: custom } = upstream
  const { sessionId } = await openSession(outbound, {
    server: 'probe',
    url,
    custom,
    timeoutMs,
    hello: {
      protocolVersion: LEGACY_PROBE_VERSION,
      capabilities: {},
      clientInfo: { name: 'gatehouse', version: '0.1.0' },
    },
  })
  if (sessionId !== undefined) await closeSession(outbound, upstream, sessionId)
}

/** Tells an upstream that a session is over; whether it listens is its own affair. */
export async function closeSession(
  outbound: Outbound,
  { url, timeoutMs, headers: custom }: UpstreamAddress,
  sessionId: string,
): Promise<void> {
  const headers = hopTwoHeaders({ custom, sessionId })
  const result = await outbound.send({ url, method: 'DELETE', headers, timeoutMs })
  if (result.kind === 'response') await result.response.body?.cancel()
}
