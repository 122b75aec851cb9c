import type { CallContext } from '../../core/index.ts'
import type { Actor } from '../../policy/index.ts'
import { authorizeServer } from '../authorize.ts'
import type { VerbDeps } from '../verb-deps.ts'
import { type ServerOut, serverOutOf } from '../views.ts'

/** One server that the actor may list. Throws `not_found`. */
export function createGetServer(deps: Pick<VerbDeps, 'repositories'>) {
  return async function getServer(
    _ctx: CallContext,
    actor: Actor,
    path: string,
  ): Promise<ServerOut> {
    return serverOutOf(actor, await authorizeServer(deps.repositories, actor, 'list_service', path))
  }
}
