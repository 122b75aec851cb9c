import type { ClientRow, Era } from './clients/index.ts'

/** What a client finds at an endpoint; where nothing is to be read or prompted, it does not try. */
export interface Offer {
  readonly tools: readonly string[]
  readonly call: readonly [tool: string, args: object, says: RegExp]
  readonly read?: readonly [uri: string, says: RegExp]
  readonly prompt?: readonly [name: string, args: Record<string, string>, says: RegExp]
}

/**
 * The kinds of upstreams that the matrix has a column for, by the path under which one of them is
 * registered, and what the gateway must have found out of it: each speaks one thing alone.
 */
export const KINDS = {
  everything: { column: 'legacy-only', eras: 'legacy', transport: 'streamable-http' },
  modern: { column: 'modern-only', eras: 'modern', transport: 'streamable-http' },
  'everything-sse': { column: 'HTTP+SSE', eras: 'legacy', transport: 'sse' },
  'everything-ws': { column: 'WebSocket', eras: 'legacy', transport: 'websocket' },
} as const

export type Kind = keyof typeof KINDS
/** `all` is everything that the user may use, under one path. */
export type Endpoint = Kind | 'all'
export const ENDPOINTS: readonly Endpoint[] = [...namesOf(KINDS), 'all']

/** The tools of server-everything that the policy leaves to the user. */
export const EVERYTHING_TOOLS = ['echo', 'get-sum']

const ECHO: Offer['call'] = ['echo', { message: 'hi' }, /^Echo: hi$/]
const EVERYTHING = {
  tools: EVERYTHING_TOOLS,
  call: ECHO,
  read: ['demo://resource/static/document/features.md', /Everything Server/],
  prompt: ['args-prompt', { city: 'Bern' }, /weather in Bern/],
} as const satisfies Offer
const MODERN: Offer = { tools: ['echo'], call: ECHO }
const FININFO: Offer = {
  tools: ['get_stock_aggregates', 'print_stock_data'],
  call: ['print_stock_data', { stock_ticker: 'ACMEX' }, /ACMEX/],
  read: ['fininfo://tickers', /"ACMEX"/],
  prompt: ['summarise_stock', { stock_ticker: 'ACMEX' }, /for ACMEX/],
}

/** In the order in which the shared endpoint lists them. */
const SERVERS: Readonly<Record<string, Offer>> = {
  everything: EVERYTHING,
  // The same server again: what remains to be seen is whether calls and lists come across.
  'everything-sse': { tools: EVERYTHING_TOOLS, call: ECHO },
  'everything-ws': { tools: EVERYTHING_TOOLS, call: ECHO },
  fininfo: FININFO,
  modern: MODERN,
}

/**
 * The offer at an endpoint. At the shared one a client of either era calls a tool of the other one,
 * and a legacy client reads and prompts at `fininfo`, which speaks both.
 */
export function offerAt(endpoint: Endpoint, era: Era): Offer {
  if (endpoint !== 'all') return SERVERS[endpoint] ?? MODERN
  const tools = Object.entries(SERVERS).flatMap(([server, offer]) => named(server, offer).tools)
  const everything = named('everything', EVERYTHING)
  const offer =
    era === 'modern'
      ? everything
      : { ...named('fininfo', FININFO), call: named('modern', MODERN).call }
  return { ...offer, tools }
}

/** Where a client connects to. */
export function pathOf(endpoint: Endpoint, door: ClientRow['door']): string {
  return endpoint === 'all' ? `/${door}` : `/${endpoint}/${door}`
}

/** The offer of a server as the shared endpoint names it. */
function named(server: string, { tools, call, read, prompt }: Offer): Offer {
  const name = (own: string) => `${server}__${own}`
  return {
    tools: tools.map(name),
    call: [name(call[0]), call[1], call[2]],
    ...(read ? { read: [`mcp+${server}+${read[0]}`, read[1]] } : {}),
    ...(prompt ? { prompt: [name(prompt[0]), prompt[1], prompt[2]] } : {}),
  }
}

/** The keys of a literal, which has no others. */
export function namesOf<Name extends string>(record: Readonly<Record<Name, unknown>>): Name[] {
  return Object.keys(record) as Name[]
}
