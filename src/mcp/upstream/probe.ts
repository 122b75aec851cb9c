import { type CallContext, type Outbound, toGatewayError } from '../../core/index.ts'
import type { UpstreamAddress, UpstreamFacts } from '../../registry/index.ts'
import { GATEWAY_INFO, MODERN_VERSION } from '../messages.ts'
import { closeSession } from './close-session.ts'
import { faultError, isMcpAnswer, statusError } from './failure.ts'
import { GATEWAY_HELLO } from './gateway-hello.ts'
import { hopTwoHeaders } from './headers.ts'
import { openSession } from './open-session.ts'

/** What one health probe found. */
export type ProbeOutcome =
  | { readonly kind: 'up'; readonly latencyMs: number }
  | { readonly kind: 'down'; readonly error: string }

/** An upstream as a probe needs it. */
export interface ProbedUpstream extends UpstreamAddress {
  /** The server's path, for the error. */
  readonly server: string
  readonly eras: UpstreamFacts['eras']
}

/** Asks one endpoint whether it speaks MCP, in the cheapest way its era has. Never throws. */
export type ProbeUpstream = (ctx: CallContext, upstream: ProbedUpstream) => Promise<ProbeOutcome>

const DISCOVER = JSON.stringify({
  jsonrpc: '2.0',
  id: 'gatehouse-probe',
  method: 'server/discover',
  params: {
    _meta: {
      'io.modelcontextprotocol/protocolVersion': MODERN_VERSION,
      'io.modelcontextprotocol/clientCapabilities': {},
      'io.modelcontextprotocol/clientInfo': GATEWAY_INFO,
    },
  },
})

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

async function probeModern(outbound: Outbound, upstream: ProbedUpstream): Promise<void> {
  const headers = hopTwoHeaders({ custom: upstream.headers, version: MODERN_VERSION })
  headers.set('mcp-method', 'server/discover')
  const { server, url, timeoutMs } = upstream
  const result = await outbound.send({ url, method: 'POST', headers, body: DISCOVER, timeoutMs })
  if (result.kind === 'fault') throw faultError(result.fault, server, timeoutMs)
  await result.response.body?.cancel()
  if (!isMcpAnswer(result.response)) throw statusError(result.response.status, server)
}

/** A legacy server answers nothing without a handshake; the session it opens is closed again. */
async function probeLegacy(outbound: Outbound, upstream: ProbedUpstream): Promise<void> {
  const { server, url, timeoutMs, headers: custom } = upstream
  const hello = await openSession(outbound, {
    server,
    url,
    custom,
    timeoutMs,
    hello: GATEWAY_HELLO,
  })
  if (hello.kind === 'failed') throw hello.error
  if (hello.sessionId !== undefined) await closeSession(outbound, upstream, hello.sessionId)
}
