import { type Outgoing, ownSession } from './outgoing.ts'

/** The revision that a legacy client speaks; the one its server speaks may be another. */
export function clientVersion(outgoing: Outgoing): string | undefined {
  const { inbound, session } = outgoing
  const { params, version } = inbound
  if (inbound.method === 'initialize') return String(params['protocolVersion'])
  return ownSession(outgoing)?.hello.protocolVersion ?? version ?? session?.hello?.protocolVersion
}

/** Events without data begin a stream since 2025-11-25; older clients take them for malformed. */
export function takesPriming(version: string | undefined): boolean {
  return version !== undefined && version >= '2025-11-25'
}
