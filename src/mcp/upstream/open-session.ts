import type { Outbound } from '../../core/index.ts'
import { openSource } from '../wire/pump.ts'
import { closeSession } from './close-session.ts'
import { faultError, isMcpAnswer, statusError } from './failure.ts'
import { hopTwoHeaders } from './headers.ts'

/** What a legacy client said when it opened its session; said again when the upstream forgot it. */
export interface ClientHello {
  readonly protocolVersion: string
  readonly capabilities: Readonly<Record<string, unknown>>
  readonly clientInfo: Readonly<Record<string, unknown>>
}

export interface OpenSessionInput {
  readonly server: string
  readonly url: string
  readonly custom: readonly (readonly [name: string, value: string])[]
  readonly timeoutMs: number
  readonly hello: ClientHello
}

/** An initialize answer is small; more than this is not one. */
const MAX_HELLO_BYTES = 1_048_576

/**
 * Performs the legacy handshake and gives the upstream's session id, if it opened a session. The
 * answer is the gateway's own business and never reaches the client.
 * Throws `upstream_failed` or `upstream_timeout`.
 */
export async function openSession(
  outbound: Outbound,
  input: OpenSessionInput,
): Promise<{ readonly sessionId: string | undefined }> {
  const { server, url, custom, timeoutMs, hello } = input
  const send = (body: object, headers: Headers) =>
    outbound.send({ url, method: 'POST', headers, body: JSON.stringify(body), timeoutMs })

  const opened = await send(
    { jsonrpc: '2.0', id: 'gatehouse-initialize', method: 'initialize', params: hello },
    hopTwoHeaders({ custom }),
  )
  if (opened.kind === 'fault') throw faultError(opened.fault, server, timeoutMs)
  const { response } = opened
  if (!isMcpAnswer(response)) {
    await response.body?.cancel()
    throw statusError(response.status, server)
  }
  const sessionId = response.headers.get('mcp-session-id') ?? undefined
  // Some servers accept the next message only after the answer was read.
  const wasRead = await drain(response, timeoutMs)
  const version = hello.protocolVersion
  const inSession = { custom, version, ...(sessionId === undefined ? {} : { sessionId }) }
  const told = wasRead
    ? await send({ jsonrpc: '2.0', method: 'notifications/initialized' }, hopTwoHeaders(inSession))
    : TIMED_OUT
  if (told.kind === 'response') {
    await told.response.body?.cancel()
    return { sessionId }
  }
  // A session that nobody will use would only use memory there.
  if (sessionId !== undefined) {
    await closeSession(outbound, { url, headers: custom, timeoutMs }, sessionId)
  }
  throw faultError(told.fault, server, timeoutMs)
}

const TIMED_OUT = { kind: 'fault', fault: 'timeout' } as const

/** Reads the answer away; false when it did not end in time, or was too large to be one. */
async function drain(response: Response, timeoutMs: number): Promise<boolean> {
  if (!response.body) return true
  const source = openSource(response.body, timeoutMs)
  for (let bytes = 0; bytes <= MAX_HELLO_BYTES; ) {
    const chunk = await source.read()
    if (chunk.kind !== 'data') return chunk.kind === 'complete'
    bytes += chunk.bytes.byteLength
  }
  await source.cancel()
  return false
}
