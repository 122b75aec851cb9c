import { z } from 'zod'

/** How an upstream is spoken to; each has a row in `mcp/upstream/transports.ts`. */
export const Transport = z.enum(['streamable-http', 'sse', 'websocket'])
export type Transport = z.infer<typeof Transport>

/** What a registration says of it. `auto`: the gateway finds out, and keeps its verdict. */
export const TransportChoice = z.enum(['auto', ...Transport.options])
export type TransportChoice = z.infer<typeof TransportChoice>

/** What is stored of a server's transport. */
export interface TransportVerdict {
  readonly transport: Transport
  readonly transportChoice: TransportChoice
  /** Epoch ms; null when it was named, or nothing answered yet. */
  readonly transportDetectedAt: number | null
}

const SOCKET_SCHEME = /^ws(s?):/i

export function isSocketUrl(url: string): boolean {
  return SOCKET_SCHEME.test(url)
}

/** A WebSocket begins as a request over HTTP, so the rules for addresses are those of that URL. */
export function httpUrlOf(url: string): string {
  return url.replace(SOCKET_SCHEME, (_scheme, s: string) => `http${s.toLowerCase()}:`)
}

/**
 * The transports to try at a URL, in this order: the one that was named, alone; WebSocket for
 * `ws(s)://`, alone; the last verdict; Streamable HTTP, in whichever era; HTTP+SSE (MCP 2026-07-28,
 * Versioning). The next one is tried only when a server refuses in a way that speaks of another.
 */
export function transportsToTry(
  url: string,
  choice: TransportChoice,
  verdict?: Pick<TransportVerdict, 'transport' | 'transportDetectedAt'>,
): readonly Transport[] {
  if (choice !== 'auto') return [choice]
  if (isSocketUrl(url)) return ['websocket']
  const isSettled = verdict !== undefined && verdict.transportDetectedAt !== null
  return isSettled && verdict.transport === 'sse'
    ? ['sse', 'streamable-http']
    : ['streamable-http', 'sse']
}

/** The transport of a server that nobody could ask yet. */
export function transportUntilAsked(
  choice: TransportChoice,
  endpoints: readonly { readonly url: string }[],
): Transport {
  if (choice !== 'auto') return choice
  return endpoints.some(({ url }) => isSocketUrl(url)) ? 'websocket' : 'streamable-http'
}

/** What is wrong with the URLs for the transport, by index. */
export function transportProblems(
  choice: TransportChoice,
  endpoints: readonly { readonly url: string }[],
): { readonly index: number; readonly message: string }[] {
  const first = endpoints[0]
  const needsSocket = choice === 'auto' ? first && isSocketUrl(first.url) : choice === 'websocket'
  return endpoints.flatMap(({ url }, index) => {
    if (isSocketUrl(url) === needsSocket) return []
    const scheme = needsSocket ? 'a ws(s) URL' : 'an http(s) URL'
    const reason = choice === 'auto' ? 'as the first endpoint is' : `for the transport ${choice}`
    return [{ index, message: `must be ${scheme}, ${reason}` }]
  })
}
