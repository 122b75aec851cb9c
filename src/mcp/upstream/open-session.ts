import { type Outbound, readBounded } from '../../core/index.ts'
import { faultError, statusError } from './failure.ts'
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
  const { server, timeoutMs } = input
  const send = (body: object, sessionId?: string) =>
    outbound.send({
      url: input.url,
      method: 'POST',
      headers: hopTwoHeaders({
        custom: input.custom,
        ...(sessionId === undefined ? {} : { sessionId, version: input.hello.protocolVersion }),
      }),
      body: JSON.stringify(body),
      timeoutMs,
    })

  const opened = await send({
    jsonrpc: '2.0',
    id: 'gatehouse-initialize',
    method: 'initialize',
    params: input.hello,
  })
  if (opened.kind === 'fault') throw faultError(opened.fault, server, timeoutMs)
  const { response } = opened
  const sessionId = response.headers.get('mcp-session-id') ?? undefined
  if (!response.ok) {
    await response.body?.cancel()
    throw statusError(response.status, server)
  }
  // Some servers accept the next message only after the answer was read.
  await readBounded(response.body, MAX_HELLO_BYTES)
  const told = await send({ jsonrpc: '2.0', method: 'notifications/initialized' }, sessionId)
  if (told.kind === 'fault') throw faultError(told.fault, server, timeoutMs)
  await told.response.body?.cancel()
  return { sessionId }
}
