import { GATEWAY_INFO, LEGACY_VERSIONS } from '../messages.ts'

/**
 * What the gateway says in a legacy handshake of its own. No capabilities: nobody is there to answer
 * a server's requests. Every legacy server negotiates from the newest revision down.
 */
export const GATEWAY_HELLO = {
  protocolVersion: LEGACY_VERSIONS[0],
  capabilities: {},
  clientInfo: GATEWAY_INFO,
} as const
