import { type EndpointId, GatewayError, isPlainObject } from '../../core/index.ts'
import type { Transport } from '../../registry/index.ts'
import { type ReadAnswer, readAnswer } from '../wire/read-answer.ts'
import { closeSession } from './close-session.ts'
import { faultError, isMcpAnswer, type Outcome, outcomeOf, statusError } from './failure.ts'
import { hopTwoHeaders } from './headers.ts'
import type { UpstreamOutbound } from './transports.ts'

/** What a legacy client said when it opened its session; said again when the upstream forgot it. */
export interface ClientHello {
  readonly protocolVersion: string
  readonly capabilities: Readonly<Record<string, unknown>>
  readonly clientInfo: Readonly<Record<string, unknown>>
}

export interface HandshakeInput {
  /** The server's path, for errors. */
  readonly server: string
  readonly endpoint: EndpointId
  readonly transport: Transport
  readonly url: string
  readonly custom: readonly (readonly [name: string, value: string])[]
  readonly timeoutMs: number
  readonly hello: ClientHello
  /** For whom, by `principal.key`. */
  readonly holder?: string | undefined
}

/** What a handshake came to, and what it says of the endpoint. */
export type Handshake =
  | {
      readonly kind: 'open'
      /** The upstream's, if it opened a session. */
      readonly sessionId: string | undefined
      /** The revision the upstream wants to speak. */
      readonly version: string
      readonly outcome: 'success'
    }
  | HandshakeFailure

/** Success: it answered, and refused. Undefined: it was not even asked, or the caller left. */
interface HandshakeFailure {
  readonly kind: 'failed'
  /** `upstream_failed` or `upstream_timeout`. */
  readonly error: GatewayError
  readonly outcome: Outcome | undefined
  /** The HTTP status that refused it. */
  readonly status?: number
}

/** An initialize answer is small; more than this is not one. */
const MAX_HELLO_BYTES = 1_048_576
const HELLO_ID = 'gatehouse-initialize'

/**
 * Performs the legacy handshake. The answer is the gateway's own business and never reaches the
 * client. A session that it opened in vain is closed again.
 */
export async function openSession(
  outbound: UpstreamOutbound,
  input: HandshakeInput,
  signal?: AbortSignal,
): Promise<Handshake> {
  const { server, endpoint, transport, url, custom, timeoutMs, hello, holder } = input
  const where = { endpoint, transport, url, timeoutMs, holder }
  const send = (body: object, headers: Headers) =>
    outbound.send({
      ...{ ...where, method: 'POST', headers },
      body: JSON.stringify(body),
      ...(signal ? { signal } : {}),
    })

  const opened = await send(
    { jsonrpc: '2.0', id: HELLO_ID, method: 'initialize', params: hello },
    hopTwoHeaders({ custom }),
  )
  if (opened.kind === 'fault') {
    return failed(faultError(opened.fault, server, timeoutMs), outcomeOf(opened))
  }
  const { response } = opened
  if (!isMcpAnswer(response)) {
    await response.body?.cancel()
    const { status } = response
    return { ...failed(statusError(status, server), outcomeOf(opened)), status }
  }
  const sessionId = response.headers.get('mcp-session-id') ?? undefined
  // Some servers accept the next message only after the answer was read.
  const read = await readAnswer(response, HELLO_ID, { maxBytes: MAX_HELLO_BYTES, timeoutMs })
  const agreed = agreedVersion(read, server)
  if (typeof agreed !== 'string') return inVain(agreed)
  const inSession = { custom, version: agreed, ...(sessionId === undefined ? {} : { sessionId }) }
  const told = await send(
    { jsonrpc: '2.0', method: 'notifications/initialized' },
    hopTwoHeaders(inSession),
  )
  if (told.kind === 'fault') {
    return inVain(failed(faultError(told.fault, server, timeoutMs), outcomeOf(told)))
  }
  await told.response.body?.cancel()
  return { kind: 'open', sessionId, version: agreed, outcome: 'success' }

  /** A session that nobody will use would only use memory there. */
  async function inVain(failure: HandshakeFailure): Promise<HandshakeFailure> {
    if (sessionId !== undefined) {
      await closeSession(outbound, { ...where, headers: custom }, sessionId)
    }
    return failure
  }
}

/** The revision that the upstream named, or why there is none. */
function agreedVersion(read: ReadAnswer, server: string): string | HandshakeFailure {
  if (read.kind !== 'answer') {
    return failed(noHello(server), read.kind === 'none' ? 'success' : 'failure')
  }
  if (!('result' in read.message)) return failed(refusedHello(server), 'success')
  const { result } = read.message
  const version = isPlainObject(result) ? result['protocolVersion'] : undefined
  return typeof version === 'string' ? version : failed(noHello(server), 'success')
}

function failed(error: GatewayError, outcome: Outcome | undefined): HandshakeFailure {
  return { kind: 'failed', error, outcome }
}

function noHello(server: string): GatewayError {
  return new GatewayError('upstream_failed', `The server "${server}" did not answer the handshake.`)
}

function refusedHello(server: string): GatewayError {
  return new GatewayError('upstream_failed', `The server "${server}" refused to open a session.`)
}
