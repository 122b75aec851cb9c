import type { CallContext, Principal } from '../core/index.ts'
import type { Refuse } from './refusal.ts'
import type { Relay } from './relay.ts'

export interface GetDeps {
  readonly relay: Relay
  readonly refuse: Refuse
}

/** GET at an MCP endpoint: the stream of a legacy client; renders what is refused. */
export function createGet({ relay, refuse }: GetDeps) {
  return async function get(
    ctx: CallContext,
    principal: Principal,
    path: string,
    { headers }: Request,
  ): Promise<Response> {
    ctx.facts.server = path
    ctx.facts.era = 'legacy'
    try {
      return await relay.stream(ctx, principal, path, headers)
    } catch (thrown) {
      return refuse(ctx, { path }, thrown)
    }
  }
}
