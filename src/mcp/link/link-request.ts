import { z } from 'zod'
import { type OutboundRequest, readBounded } from '../../core/index.ts'
import { Transport } from '../../registry/index.ts'

/** A LinkObject as the gateway reaches it. */
export interface LinkStub {
  fetch(request: Request): Promise<Response>
}

/** What a LinkObject is asked, in the words of Streamable HTTP. */
export interface LinkRequest extends LinkTarget {
  readonly method: 'POST' | 'GET' | 'DELETE'
  /** For the upstream. */
  readonly headers: Headers
  /** The LinkObject's own id of a session. */
  readonly sessionId: string | undefined
  /** One JSON-RPC message; empty unless the method is POST. */
  readonly body: string
  /** Aborts when its caller left, or waits no longer. */
  readonly signal: AbortSignal
}

const LinkTarget = z.object({
  transport: Transport.exclude(['streamable-http']),
  url: z.string(),
  timeoutMs: z.number(),
  /** Who has it sent; absent for the gateway itself. */
  holder: z.string().optional(),
})
export type LinkTarget = z.infer<typeof LinkTarget>
/** A transport for which a connection is held. */
export type LinkTransport = LinkTarget['transport']

/** Tells the object whom it speaks to; a custom header of this name is overwritten. */
const LINK_HEADER = 'x-gatehouse-link'
const SESSION_HEADER = 'mcp-session-id'

/** What is for one hop alone, or is made anew. */
const HOP_HEADERS = [LINK_HEADER, SESSION_HEADER, 'host', 'content-length', 'last-event-id']
/** What a platform may add on the way; no custom header is called so. */
const PLATFORM_HEADER = /^(cf-|x-forwarded-|x-real-ip$)/
/** Bodies are bounded where they enter the gateway, at most at 100 MiB. */
const MAX_BODY_BYTES = 104_857_600

/** Writes into the headers of a request what only its object reads. */
export function describeLink(
  headers: Headers,
  request: Pick<OutboundRequest, 'url' | 'timeoutMs'> & {
    readonly transport: string
    readonly holder?: string | undefined
  },
): void {
  const { transport, url, timeoutMs, holder } = request
  const target = {
    ...{ transport, url: new URL(url).href, timeoutMs },
    // A header is ASCII, and an issuer's name need not be.
    ...(holder === undefined ? {} : { holder: encodeURIComponent(holder) }),
  }
  headers.set(LINK_HEADER, JSON.stringify(target))
}

/** Throws for what the gateway never sends. */
export async function readLinkRequest(request: Request): Promise<LinkRequest> {
  const target = LinkTarget.parse(JSON.parse(request.headers.get(LINK_HEADER) ?? ''))
  const sessionId = request.headers.get(SESSION_HEADER) ?? undefined
  const headers = new Headers(request.headers)
  for (const name of request.headers.keys()) {
    if (HOP_HEADERS.includes(name) || PLATFORM_HEADER.test(name)) headers.delete(name)
  }
  const method = z.enum(['POST', 'GET', 'DELETE']).parse(request.method)
  const body = method === 'POST' ? await readBounded(request.body, MAX_BODY_BYTES) : ''
  return { ...target, method, headers, sessionId, body, signal: request.signal }
}
