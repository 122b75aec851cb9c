import type { CallContext } from '../../core/index.ts'
import type { Actor } from '../../policy/index.ts'
import { authorizeServer } from '../authorize.ts'
import { type ServiceHealthOut, serviceHealthOf } from '../services/service-views.ts'
import type { VerbDeps } from '../verb-deps.ts'

/** What the last probes found, in the words of a service list. Throws `not_found`. */
export function createServiceHealth(deps: Pick<VerbDeps, 'repositories'>) {
  return async function serviceHealth(
    _ctx: CallContext,
    actor: Actor,
    path: string,
  ): Promise<ServiceHealthOut> {
    const server = await authorizeServer(deps.repositories, actor, 'list_service', path)
    return serviceHealthOf(actor, server)
  }
}
