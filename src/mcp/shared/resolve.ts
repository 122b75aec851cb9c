import { andThen, type CallContext, type MaybePromise } from '../../core/index.ts'
import { type Actor, decide, notFoundServer } from '../../policy/index.ts'
import type { EndpointRecord, ServerRecord, TenantSnapshot } from '../../registry/index.ts'
import { EVERYTHING, OWN, type SharedEndpoint } from './endpoint.ts'

/** What stands behind a path. */
export type ResolvedEndpoint =
  | { readonly kind: 'server'; readonly server: ServerRecord }
  | { readonly kind: 'shared'; readonly endpoint: SharedEndpoint }

/** Endpoints of the gateway's own; no server may have these paths. */
const BUILT_IN: Readonly<Record<string, SharedEndpoint>> = { mcp: EVERYTHING, mcpgw: OWN }

/** Whether the path is of an endpoint of the gateway's own. */
export function isBuiltIn(path: string): boolean {
  return Object.hasOwn(BUILT_IN, path)
}

/**
 * Throws `not_found` alike for what is missing, disabled, or not the caller's to see; whether he may
 * see a server, `authorise` judges with the request.
 */
export function resolveEndpoint(
  ctx: CallContext,
  snapshot: TenantSnapshot,
  actor: Actor,
  path: string,
): MaybePromise<ResolvedEndpoint> {
  const builtIn = isBuiltIn(path) ? BUILT_IN[path] : undefined
  if (builtIn) return { kind: 'shared', endpoint: builtIn }
  return andThen(snapshot.endpoint(ctx, path), (found) => toResolved(actor, path, found))
}

function toResolved(
  actor: Actor,
  path: string,
  found: EndpointRecord | undefined,
): ResolvedEndpoint {
  switch (found?.kind) {
    case 'server':
      if (!found.server.enabled) throw notFoundServer(path)
      return found
    case 'virtual': {
      const { virtual } = found
      const isHidden = decide(actor, virtual, 'initialize').kind === 'unknown_server'
      if (!virtual.enabled || isHidden) throw notFoundServer(path)
      return { kind: 'shared', endpoint: { kind: 'virtual', path, virtual } }
    }
    case undefined:
      throw notFoundServer(path)
  }
}
