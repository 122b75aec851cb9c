import { type EndpointId, GatewayError, isPlainObject, type Outbound } from '../../core/index.ts'
import { readAnswer } from '../wire/read-answer.ts'
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
  readonly endpoint: EndpointId
  readonly url: string
  readonly custom: readonly (readonly [name: string, value: string])[]
  readonly timeoutMs: number
  readonly hello: ClientHello
  /** Whether the server declares `logging`. */
  readonly hasLogging: boolean
}

/** An initialize answer is small; more than this is not one. */
const MAX_HELLO_BYTES = 1_048_576
const HELLO_ID = 'gatehouse-initialize'

export interface OpenedSession {
  /** The upstream's, if it opened a session. */
  readonly sessionId: string | undefined
  /** The revision the upstream wants to speak. */
  readonly version: string
}

/**
 * Performs the legacy handshake. The answer is the gateway's own business and never reaches the
 * client. Throws `upstream_failed` or `upstream_timeout`.
 */
export async function openSession(
  outbound: Outbound,
  input: Omit<OpenSessionInput, 'endpoint' | 'hasLogging'>,
): Promise<OpenedSession> {
  const { server, url, custom, timeoutMs, hello } = input
  const send = (body: object, headers: Headers) =>
    outbound.send({ url, method: 'POST', headers, body: JSON.stringify(body), timeoutMs })

  const opened = await send(
    { jsonrpc: '2.0', id: HELLO_ID, method: 'initialize', params: hello },
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
  const read = await readAnswer(response, HELLO_ID, { maxBytes: MAX_HELLO_BYTES, timeoutMs })
  const answer = read.kind === 'answer' ? read.message : undefined
  if (answer && !('result' in answer)) throw refusedHello(server)
  const version = versionOf(answer)
  const told = version === undefined ? undefined : await tellInitialized(version)
  if (version !== undefined && told?.kind === 'response') {
    await told.response.body?.cancel()
    return { sessionId, version }
  }
  // A session that nobody will use would only use memory there.
  if (sessionId !== undefined) {
    await closeSession(outbound, { url, headers: custom, timeoutMs }, sessionId)
  }
  throw told?.kind === 'fault' ? faultError(told.fault, server, timeoutMs) : noHello(server)

  function tellInitialized(version: string) {
    const inSession = { custom, version, ...(sessionId === undefined ? {} : { sessionId }) }
    const message = { jsonrpc: '2.0', method: 'notifications/initialized' }
    return send(message, hopTwoHeaders(inSession))
  }
}

function noHello(server: string): GatewayError {
  return new GatewayError('upstream_failed', `The server "${server}" did not answer the handshake.`)
}

function refusedHello(server: string): GatewayError {
  return new GatewayError('upstream_failed', `The server "${server}" refused to open a session.`)
}

function versionOf(answer: Readonly<Record<string, unknown>> | undefined): string | undefined {
  const result = answer?.['result']
  const version = isPlainObject(result) ? result['protocolVersion'] : undefined
  return typeof version === 'string' ? version : undefined
}
