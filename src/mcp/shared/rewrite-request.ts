import type { InboundRequest } from '../eras.ts'
import { withText } from '../inbound-text.ts'
import { replaceMember } from '../wire/replace-member.ts'
import type { Named } from './items.ts'

/** The request as the server it is for must see it: its own name where the client wrote ours. */
export function rewriteRequest(
  inbound: InboundRequest,
  named: Named,
  original: string,
  version: string | undefined,
): InboundRequest {
  const text = replaceMember(inbound.text, ['params', ...named.at], JSON.stringify(original))
  const isTopLevel = named.at.length === 1
  return {
    ...withText(inbound, text),
    params: isTopLevel ? { ...inbound.params, [named.at[0] ?? '']: original } : inbound.params,
    ...(inbound.name === undefined ? {} : { name: original }),
    ...(version === undefined ? {} : { version }),
  }
}
