import type { CallContext } from '../../core/index.ts'
import type { Actor } from '../../policy/index.ts'
import { authorizeServer } from '../authorize.ts'
import { type ServiceOut, serviceOf } from '../services/service-views.ts'
import type { VerbDeps } from '../verb-deps.ts'

/** One server, in the words of a service list. Throws `not_found`. */
export function createGetService(deps: Pick<VerbDeps, 'repositories'>) {
  return async function getService(
    _ctx: CallContext,
    actor: Actor,
    path: string,
  ): Promise<ServiceOut> {
    const server = await authorizeServer(deps.repositories, actor, 'list_service', path)
    return serviceOf(actor, server, server.endpoints[0]?.url)
  }
}
