import {
  Client,
  type FetchLike,
  ProtocolError,
  StreamableHTTPClientTransport,
} from '@modelcontextprotocol/client'
import { z } from 'zod'
import { type CallContext, GatewayError, isPlainObject } from '../../core/index.ts'
import {
  CATALOG_LISTS,
  type CatalogList,
  type Discovery,
  type UpstreamAddress,
  type UpstreamFacts,
} from '../../registry/index.ts'
import { GATEWAY_INFO, LEGACY_VERSIONS, MODERN_VERSION } from '../messages.ts'
import { askLegacySide, withLegacySide } from './legacy-side.ts'
import type { TransportDoubt } from './transport-doubt.ts'
import type { UpstreamOutbound } from './transports.ts'

/** JSON-RPC 2.0. */
const METHOD_NOT_FOUND = -32601
/** Pages of one list that are read before the upstream is taken to be looping. */
const MAX_PAGES = 100
/** Bytes of all answers together: a catalogue is at most 8 MiB, and an isolate has 128. */
const MAX_BYTES = 16 * 1024 * 1024
/** For all requests together, however many pages there are. */
const MAX_TOTAL_MS = 30_000

/** Accepts whatever the upstream sent: the catalogue stores definitions as they are. */
const AnyResult = z.looseObject({
  nextCursor: z.string().optional(),
  ttlMs: z.number().int().min(0).optional().catch(undefined),
})

/** All pages of one list. */
interface Listed {
  readonly items: readonly unknown[]
  /** The smallest that a page named. */
  readonly ttlMs: number | undefined
}

export interface DiscoverOver {
  readonly triesLegacy: boolean
  readonly doubt: TransportDoubt
  /** Which eras it speaks, where that is not to be asked again. */
  readonly known?: UpstreamFacts
}

/**
 * Asks an upstream over one transport what it is: era probe, `server/discover` or `initialize`,
 * every page of every list; the session it opened is closed. A cold path, so the SDK's client does
 * it (DESIGN.md, Decision 2). Throws `upstream_unreachable` saying what failed.
 */
export async function discoverOver(
  outbound: UpstreamOutbound,
  ctx: CallContext,
  upstream: UpstreamAddress,
  { triesLegacy, doubt, known }: DiscoverOver,
): Promise<Discovery> {
  // Not AbortSignal.timeout, which would keep an object awake after the work is done.
  const tooLong = new AbortController()
  const timer = setTimeout(() => tooLong.abort(), MAX_TOTAL_MS)
  const signal = AbortSignal.any([ctx.caller.signal, tooLong.signal])
  const transport = new StreamableHTTPClientTransport(new URL(upstream.url), {
    fetch: fetchThrough(outbound, signal, upstream, doubt),
    requestInit: { headers: Object.fromEntries(upstream.headers) },
  })
  const mode = modeOf(upstream, known)
  const client = new Client(GATEWAY_INFO, { versionNegotiation: { mode } })
  try {
    await client.connect(transport, { timeout: upstream.timeoutMs })
    const seen = factsOf(client, transport.sessionId !== undefined)
    const facts = known
      ? withKnownEras(seen, known)
      : triesLegacy
        ? await askedForLegacy(outbound, signal, upstream, seen)
        : seen
    const list = (wanted: CatalogList) => listAll(client, facts, wanted, upstream.timeoutMs)
    const tools = await list(CATALOG_LISTS.tool)
    const resources = await list(CATALOG_LISTS.resource)
    // Servers with resources and no templates often do not know the method.
    const resourceTemplates = await list(CATALOG_LISTS.template).catch(noneIfUnknown)
    const prompts = await list(CATALOG_LISTS.prompt)
    const ttls = [tools, resources, resourceTemplates, prompts].flatMap(({ ttlMs }) => ttlMs ?? [])
    return {
      transport: upstream.transport,
      facts: ttls.length > 0 ? { ...facts, ttlMs: Math.min(...ttls) } : facts,
      tools: tools.items,
      resources: resources.items,
      resourceTemplates: resourceTemplates.items,
      prompts: prompts.items,
    } satisfies Discovery
  } catch (cause) {
    throw unreachable(cause, doubt.refusedWith())
  } finally {
    // A session that a probe leaves behind leaks memory upstream (FEATURES.md B1, 25).
    await transport.terminateSession().catch(() => undefined)
    await client.close().catch(() => undefined)
    clearTimeout(timer)
  }
}

function modeOf({ transport }: UpstreamAddress, known: UpstreamFacts | undefined) {
  // What a connection is held for is older than the modern era.
  if (transport !== 'streamable-http' || known?.eras === 'legacy') return 'legacy'
  return known ? { pin: MODERN_VERSION } : 'auto'
}

/** What it offers may be new; which eras it speaks was not asked. */
function withKnownEras(seen: UpstreamFacts, known: UpstreamFacts): UpstreamFacts {
  const { eras, sessionful, protocolVersions, legacy } = known
  const { legacy: _untried, ...rest } = seen
  const untried = legacy === undefined ? {} : { legacy }
  return { ...rest, eras, sessionful, protocolVersions, ...untried }
}

function factsOf(client: Client, hasSession: boolean): UpstreamFacts {
  const isModern = client.getProtocolEra() === 'modern'
  const instructions = client.getInstructions()
  return {
    eras: isModern ? 'modern' : 'legacy',
    protocolVersions: isModern
      ? (client.getDiscoverResult()?.supportedVersions ?? [])
      : [client.getNegotiatedProtocolVersion() ?? LEGACY_VERSIONS[0]],
    sessionful: !isModern && hasSession,
    serverInfo: asRecord(client.getServerVersion()),
    capabilities: asRecord(client.getServerCapabilities()),
    ...(instructions === undefined ? {} : { instructions }),
    ...(isModern ? { legacy: 'untried' as const } : {}),
  }
}

/** Silence leaves open whether it serves the legacy handshake, and costs nothing else. */
async function askedForLegacy(
  outbound: UpstreamOutbound,
  signal: AbortSignal,
  upstream: UpstreamAddress,
  seen: UpstreamFacts,
): Promise<UpstreamFacts> {
  if (seen.eras !== 'modern') return seen
  const answer = await askLegacySide(outbound, 'probe', upstream, signal)
  return answer.kind === 'settled' ? withLegacySide(seen, answer.side) : seen
}

async function listAll(
  client: Client,
  facts: UpstreamFacts,
  { capability, method, member }: CatalogList,
  timeout: number,
): Promise<Listed> {
  if (facts.capabilities?.[capability] === undefined) return { items: [], ttlMs: undefined }
  const items: unknown[] = []
  let ttlMs: number | undefined
  let cursor: string | undefined
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const params = cursor === undefined ? {} : { cursor }
    const result = await client.request({ method, params }, AnyResult, { timeout })
    const part = result[member]
    if (!Array.isArray(part)) throw new Error(`${method} answered without "${member}"`)
    items.push(...part)
    if (result.ttlMs !== undefined) ttlMs = Math.min(ttlMs ?? result.ttlMs, result.ttlMs)
    cursor = result.nextCursor
    if (cursor === undefined) return { items, ttlMs }
  }
  throw new Error(`${method} has more than ${MAX_PAGES} pages`)
}

function noneIfUnknown(thrown: unknown): Listed {
  const isProtocols = thrown instanceof ProtocolError && thrown.code === METHOD_NOT_FOUND
  // A modern server says so under HTTP 404, and the SDK's client then gives its text alone.
  const isText = thrown instanceof Error && thrown.message.includes(`"code":${METHOD_NOT_FOUND}`)
  if (isProtocols || isText) return { items: [], ttlMs: undefined }
  throw thrown
}

/** The SDK's client on our only way out, within bounds; it needs no GET stream to read lists. */
function fetchThrough(
  outbound: UpstreamOutbound,
  signal: AbortSignal,
  { endpoint, transport, timeoutMs }: UpstreamAddress,
  doubt: TransportDoubt,
): FetchLike {
  let bytesLeft = MAX_BYTES
  const bounded = () =>
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        bytesLeft -= chunk.byteLength
        if (bytesLeft < 0) controller.error(new Error(`more than ${MAX_BYTES} bytes were sent`))
        else controller.enqueue(chunk)
      },
    })
  return async (url, init) => {
    const method = init?.method ?? 'GET'
    if (method === 'GET') return new Response(null, { status: 405 })
    const result = await outbound.send({
      ...{ endpoint, transport, timeoutMs },
      url: String(url),
      method: method === 'DELETE' ? 'DELETE' : 'POST',
      headers: new Headers(init?.headers),
      signal,
      ...(typeof init?.body === 'string' ? { body: init.body } : {}),
    })
    if (result.kind === 'fault') throw new GatewayError('upstream_unreachable', result.message)
    const response = await doubt.hear(result.response)
    return new Response(response.body?.pipeThrough(bounded()) ?? null, response)
  }
}

function unreachable(cause: unknown, status: number | undefined): GatewayError {
  const own = findOwn(cause)
  if (own) return own
  const message = cause instanceof Error ? cause.message.slice(0, 300) : 'unknown failure'
  // The client tells what a page of refusal says, and not its status.
  const reason = status === undefined ? message : `HTTP ${status}. ${message}`
  return new GatewayError('upstream_unreachable', `The upstream is no MCP server: ${reason}`, {
    cause,
  })
}

/** The SDK wraps what our fetch threw. */
function findOwn(cause: unknown): GatewayError | undefined {
  for (let error = cause; error instanceof Error; error = error.cause) {
    if (error instanceof GatewayError) return error
  }
  return undefined
}

function asRecord(value: unknown): Record<string, unknown> {
  return isPlainObject(value) ? value : {}
}
