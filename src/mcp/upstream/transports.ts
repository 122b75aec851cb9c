import {
  createOutbound,
  type EndpointId,
  type Outbound,
  type OutboundFault,
  type OutboundRequest,
  type OutboundResult,
} from '../../core/index.ts'
import type { Transport } from '../../registry/index.ts'
import { describeLink, type LinkStub } from '../link/link-request.ts'
import { partitionOf } from '../partition.ts'
import { faultOf } from '../wire/fault-header.ts'

/** A request for an upstream, in the words of Streamable HTTP whatever it speaks. */
export interface UpstreamRequest extends OutboundRequest {
  readonly transport: Transport
  /** Names the connections that are held for it. */
  readonly endpoint: EndpointId
  /** Who has it sent, by `principal.key`: what is held for one may not be all there is. */
  readonly holder?: string | undefined
}

/** The way to upstreams, over whatever each of them speaks. */
export interface UpstreamOutbound {
  send(request: UpstreamRequest): Promise<OutboundResult>
}

export interface UpstreamOutboundDeps {
  readonly outbound: Pick<Outbound, 'send'>
  /** The LinkObject of this name. */
  readonly linkObject: (name: string) => LinkStub
}

type Send = (deps: UpstreamOutboundDeps, request: UpstreamRequest) => Promise<OutboundResult>

/** A transport is a row here, and a row of `link/connections.ts` when a connection has to be held. */
const SENDERS: Readonly<Record<Transport, Send>> = {
  'streamable-http': ({ outbound }, request) => outbound.send(request),
  sse: sendByLink,
  websocket: sendByLink,
}

/** @see UpstreamOutbound */
export function createUpstreamOutbound(deps: UpstreamOutboundDeps): UpstreamOutbound {
  return { send: (request) => SENDERS[request.transport](deps, request) }
}

/** Of no host: the object alone is asked, and asks by the address checks of its own way out. */
const LINK_URL = 'https://link.invalid/'
const ANY_HOST = { allows: () => true, isGateway: () => false }

/** The object that holds the connection answers as a legacy server of Streamable HTTP would. */
async function sendByLink(
  { linkObject }: UpstreamOutboundDeps,
  request: UpstreamRequest,
): Promise<OutboundResult> {
  const object = linkObject(partitionOf(request.endpoint))
  // The same deadlines and aborts as for any other request.
  const toObject = createOutbound({
    privateHosts: ANY_HOST,
    fetcher: (inner) => object.fetch(inner),
  })
  const headers = new Headers(request.headers)
  describeLink(headers, request)
  // Only a signal tells an object that nobody waits any more.
  const { isLast: _isLast, ...inner } = request
  const result = await toObject.send({ ...inner, url: LINK_URL, headers })
  const fault = result.kind === 'response' ? faultOf(result.response.headers) : undefined
  return fault ? { kind: 'fault', fault, message: MESSAGES[fault] } : result
}

const MESSAGES: Readonly<Record<OutboundFault, string>> = {
  refused_address: 'The address is not allowed.',
  redirect: 'The server answered with a redirect, which is never followed.',
  timeout: 'The server did not answer in time.',
  cancelled: 'The caller went away.',
  network: 'The connection failed or was closed.',
  no_room: 'The gateway has as much open to the server as it may have.',
}
