import { type CallContext, GatewayError, type Principal } from '../../core/index.ts'
import type { ServerRecord } from '../../registry/index.ts'
import { LEGACY_VERSIONS } from '../messages.ts'
import { GATEWAY_HELLO } from '../upstream/gateway-hello.ts'
import type { Ask } from './ask.ts'
import { eraOf, type Leg, MODERN_LEG } from './ask-request.ts'

/** A server that was greeted, and what it answered. */
export interface Greeted {
  readonly leg: Leg
  /** The result of `initialize` or `server/discover`. */
  readonly hello: Readonly<Record<string, unknown>>
}

/**
 * The leg for requests to a server: a handshake in the legacy era, nothing in the modern one. A
 * session that a legacy server opened is the caller's to end.
 */
export async function openLeg(
  ctx: CallContext,
  ask: Ask,
  principal: Principal,
  server: ServerRecord,
): Promise<Leg> {
  if (eraOf(server) === 'modern') return MODERN_LEG
  const { leg } = await greetLegacy(ctx, ask, principal, server)
  return leg
}

/** Like `openLeg`, and proves that a modern server answers too. Throws `upstream_failed`. */
export async function greet(
  ctx: CallContext,
  ask: Ask,
  principal: Principal,
  server: ServerRecord,
): Promise<Greeted> {
  if (eraOf(server) === 'legacy') return greetLegacy(ctx, ask, principal, server)
  const answer = await ask.request(ctx, principal, server, MODERN_LEG, {
    method: 'server/discover',
  })
  if (answer.kind === 'error') throw upstreamError(server, answer)
  return { leg: MODERN_LEG, hello: answer.result }
}

async function greetLegacy(
  ctx: CallContext,
  ask: Ask,
  principal: Principal,
  server: ServerRecord,
): Promise<Greeted> {
  const answer = await ask.request(
    ctx,
    principal,
    server,
    { era: 'legacy' },
    { method: 'initialize', params: GATEWAY_HELLO },
  )
  if (answer.kind === 'error') throw upstreamError(server, answer)
  const { sessionId, result: hello } = answer
  const agreed = hello['protocolVersion']
  // A revision older than the header knows is not announced: absent means what such servers speak.
  const version = LEGACY_VERSIONS.find((known) => known === agreed)
  const leg: Leg = {
    era: 'legacy',
    ...(version === undefined ? {} : { version }),
    ...(sessionId === undefined ? {} : { sessionId }),
  }
  try {
    await ask.notify(ctx, principal, server, leg, { method: 'notifications/initialized' })
  } catch (thrown) {
    ctx.waitUntil(ask.end(ctx, principal, server.path, leg))
    throw thrown
  }
  return { leg, hello }
}

/** Longer ones serve nobody. */
const MAX_MESSAGE_CHARS = 2_000

/** A server's own JSON-RPC error where only an error of ours can be given. */
export function upstreamError(
  { path }: { readonly path: string },
  error: { readonly code: number; readonly message: string; readonly data?: unknown },
  fix = 'The server refused what it was asked; its own error is in upstream_error.',
): GatewayError {
  const { code, data } = error
  const message = error.message.slice(0, MAX_MESSAGE_CHARS)
  const own = { code, message, ...(data === undefined ? {} : { data }) }
  return new GatewayError(
    'upstream_failed',
    `The server "${path}" answered with error ${code}: ${message}`,
    { fix, data: { upstream_error: own } },
  )
}
