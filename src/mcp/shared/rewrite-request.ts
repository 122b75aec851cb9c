import type { InboundRequest } from '../eras.ts'
import { withMember } from '../inbound-text.ts'
import type { Named } from './items.ts'

/** The request as the server it is for must see it: its own name where the client wrote ours. */
export function rewriteRequest(
  inbound: InboundRequest,
  named: Named,
  original: string,
  version: string | undefined,
): InboundRequest {
  const isTopLevel = named.at.length === 1
  return {
    ...withMember(inbound, ['params', ...named.at], JSON.stringify(original)),
    params: isTopLevel ? { ...inbound.params, [named.at[0] ?? '']: original } : inbound.params,
    ...(inbound.name === undefined ? {} : { name: original }),
    ...(version === undefined ? {} : { version }),
  }
}
