import { type CallContext, type GatewayError, toGatewayError } from '../../core/index.ts'
import type { UpstreamAddress, UpstreamFacts } from '../../registry/index.ts'
import { GATEWAY_INFO, MODERN_VERSION } from '../messages.ts'
import { closeSession } from './close-session.ts'
import { faultError, isMcpAnswer, statusError } from './failure.ts'
import { GATEWAY_HELLO } from './gateway-hello.ts'
import { hopTwoHeaders } from './headers.ts'
import { openSession } from './open-session.ts'
import { isUnknownRequest } from './transport-doubt.ts'
import type { UpstreamOutbound } from './transports.ts'

/** What one health probe found. */
export type ProbeOutcome =
  | { readonly kind: 'up'; readonly latencyMs: number }
  | {
      readonly kind: 'down'
      readonly error: string
      /** It was refused as one refuses what belongs to another transport. */
      readonly speaksOfAnother?: true
      /** It is no matter of a lost packet: it counts at once. */
      readonly isDecisive?: true
    }

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
export function createProbe(outbound: UpstreamOutbound): ProbeUpstream {
  return async (ctx, upstream) => {
    const startedAt = ctx.clock.now()
    try {
      const probe = upstream.eras === 'legacy' ? probeLegacy : probeModern
      const refusal = await probe(outbound, upstream)
      // At a bound of ours nothing was asked; of a server that is gone its many clients hear.
      const isUp = !refusal || refusal.error.code === 'upstream_unavailable'
      if (isUp) return { kind: 'up', latencyMs: ctx.clock.now() - startedAt }
      const { error, status } = refusal
      const speaksOfAnother = status !== undefined && isUnknownRequest(status)
      return { kind: 'down', error: error.message, ...(speaksOfAnother && { speaksOfAnother }) }
    } catch (thrown) {
      return { kind: 'down', error: toGatewayError(thrown).message }
    }
  }
}

/** Why an upstream does not speak MCP. */
interface Refusal {
  readonly error: GatewayError
  readonly status?: number
}

async function probeModern(
  outbound: UpstreamOutbound,
  upstream: ProbedUpstream,
): Promise<Refusal | undefined> {
  const headers = hopTwoHeaders({ custom: upstream.headers, version: MODERN_VERSION })
  headers.set('mcp-method', 'server/discover')
  const { server, endpoint, transport, url, timeoutMs } = upstream
  const where = { endpoint, transport, url, timeoutMs }
  const result = await outbound.send({ ...where, method: 'POST', headers, body: DISCOVER })
  if (result.kind === 'fault') return { error: faultError(result.fault, server, timeoutMs) }
  await result.response.body?.cancel()
  const { status } = result.response
  return isMcpAnswer(result.response) ? undefined : { error: statusError(status, server), status }
}

/** A legacy server answers nothing without a handshake; the session it opens is closed again. */
async function probeLegacy(
  outbound: UpstreamOutbound,
  upstream: ProbedUpstream,
): Promise<Refusal | undefined> {
  const { eras: _legacy, headers: custom, ...where } = upstream
  const hello = await openSession(outbound, { ...where, custom, hello: GATEWAY_HELLO })
  if (hello.kind === 'failed') return hello
  if (hello.sessionId !== undefined) await closeSession(outbound, upstream, hello.sessionId)
  return undefined
}
