import type { InboundRequest } from '../eras.ts'
import { replaceMember } from '../wire/replace-member.ts'
import { scanRequest } from '../wire/scan-request.ts'
import type { Named } from './items.ts'

/** The request as the server it is for must see it: its own name where the client wrote ours. */
export function rewriteRequest(
  inbound: InboundRequest,
  named: Named,
  original: string,
  version: string | undefined,
): InboundRequest {
  const text = replaceMember(inbound.text, ['params', ...named.at], JSON.stringify(original))
  const scan = scanRequest(text)
  const id = scan.kind === 'scanned' && scan.id ? scan.id : inbound.id
  const isTopLevel = named.at.length === 1
  return {
    ...inbound,
    text,
    id,
    params: isTopLevel ? { ...inbound.params, [named.at[0] ?? '']: original } : inbound.params,
    ...(inbound.name === undefined ? {} : { name: original }),
    ...(version === undefined ? {} : { version }),
  }
}
