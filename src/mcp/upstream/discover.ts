import { Client, type FetchLike, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { z } from 'zod'
import { type CallContext, GatewayError, isPlainObject, type Outbound } from '../../core/index.ts'
import type {
  DiscoverUpstream,
  Discovery,
  UpstreamAddress,
  UpstreamFacts,
} from '../../registry/index.ts'
import { GATEWAY_INFO, LEGACY_VERSIONS } from '../messages.ts'
import { closeSession } from './close-session.ts'
import { openSession } from './open-session.ts'

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

interface ListMethod {
  readonly capability: 'tools' | 'resources' | 'prompts'
  readonly method: string
  readonly member: string
}

const LISTS = {
  tools: { capability: 'tools', method: 'tools/list', member: 'tools' },
  resources: { capability: 'resources', method: 'resources/list', member: 'resources' },
  resourceTemplates: {
    capability: 'resources',
    method: 'resources/templates/list',
    member: 'resourceTemplates',
  },
  prompts: { capability: 'prompts', method: 'prompts/list', member: 'prompts' },
} as const satisfies Record<string, ListMethod>

/** All pages of one list. */
interface Listed {
  readonly items: readonly unknown[]
  /** The smallest that a page named. */
  readonly ttlMs: number | undefined
}

/**
 * Asks an upstream what it is: era probe, `server/discover` or `initialize`, every page of every
 * list; the session it opened is closed. A cold path, so the SDK's client does it (DESIGN.md,
 * Decision 2). Throws `upstream_unreachable` saying what failed.
 */
export function createDiscover(outbound: Outbound): DiscoverUpstream {
  return async (ctx, upstream) => {
    const transport = new StreamableHTTPClientTransport(new URL(upstream.url), {
      fetch: fetchThrough(outbound, ctx, upstream),
      requestInit: { headers: Object.fromEntries(upstream.headers) },
    })
    const client = new Client(GATEWAY_INFO, { versionNegotiation: { mode: 'auto' } })
    try {
      await client.connect(transport, { timeout: upstream.timeoutMs })
      const facts = await factsOf(client, transport.sessionId !== undefined, outbound, upstream)
      const list = (wanted: ListMethod) => listAll(client, facts, wanted, upstream.timeoutMs)
      const tools = await list(LISTS.tools)
      const resources = await list(LISTS.resources)
      const resourceTemplates = await list(LISTS.resourceTemplates)
      const prompts = await list(LISTS.prompts)
      const ttls = [tools, resources, resourceTemplates, prompts].flatMap(
        ({ ttlMs }) => ttlMs ?? [],
      )
      return {
        facts: ttls.length > 0 ? { ...facts, ttlMs: Math.min(...ttls) } : facts,
        tools: tools.items,
        resources: resources.items,
        resourceTemplates: resourceTemplates.items,
        prompts: prompts.items,
      } satisfies Discovery
    } catch (cause) {
      throw unreachable(cause)
    } finally {
      // A session that a probe leaves behind leaks memory upstream (FEATURES.md B1, 25).
      await transport.terminateSession().catch(() => undefined)
      await client.close().catch(() => undefined)
    }
  }
}

async function factsOf(
  client: Client,
  hasSession: boolean,
  outbound: Outbound,
  upstream: UpstreamAddress,
): Promise<UpstreamFacts> {
  const discovered = client.getDiscoverResult()
  const isModern = client.getProtocolEra() === 'modern'
  const legacy = isModern ? await probeLegacy(outbound, upstream) : undefined
  const modernVersions = isModern ? (discovered?.supportedVersions ?? []) : []
  const legacyVersions = isModern
    ? (legacy?.versions ?? [])
    : [client.getNegotiatedProtocolVersion() ?? LEGACY_VERSIONS[0]]
  const instructions = client.getInstructions()
  return {
    eras: isModern ? (legacy ? 'dual' : 'modern') : 'legacy',
    protocolVersions: [...new Set([...modernVersions, ...legacyVersions])],
    sessionful: isModern ? (legacy?.sessionful ?? false) : hasSession,
    serverInfo: asRecord(client.getServerVersion()),
    capabilities: asRecord(client.getServerCapabilities()),
    ...(instructions === undefined ? {} : { instructions }),
  }
}

/** Whether a modern upstream also serves the legacy handshake, and how. */
async function probeLegacy(
  outbound: Outbound,
  upstream: UpstreamAddress,
): Promise<{ versions: string[]; sessionful: boolean } | undefined> {
  const version = LEGACY_VERSIONS[0]
  const answer = await openSession(outbound, {
    server: 'probe',
    url: upstream.url,
    custom: upstream.headers,
    timeoutMs: upstream.timeoutMs,
    hello: { protocolVersion: version, capabilities: {}, clientInfo: GATEWAY_INFO },
  }).catch(() => undefined)
  if (!answer) return undefined
  if (answer.sessionId !== undefined) await closeSession(outbound, upstream, answer.sessionId)
  return { versions: [version], sessionful: answer.sessionId !== undefined }
}

async function listAll(
  client: Client,
  facts: UpstreamFacts,
  { capability, method, member }: ListMethod,
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

/** The SDK's client on our only way out, within bounds; it needs no GET stream to read lists. */
function fetchThrough(outbound: Outbound, ctx: CallContext, upstream: UpstreamAddress): FetchLike {
  const signal = AbortSignal.any([ctx.signal, AbortSignal.timeout(MAX_TOTAL_MS)])
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
      url: String(url),
      method: method === 'DELETE' ? 'DELETE' : 'POST',
      headers: new Headers(init?.headers),
      timeoutMs: upstream.timeoutMs,
      signal,
      ...(typeof init?.body === 'string' ? { body: init.body } : {}),
    })
    if (result.kind === 'fault') throw new GatewayError('upstream_unreachable', result.message)
    const { response } = result
    return new Response(response.body?.pipeThrough(bounded()) ?? null, response)
  }
}

function unreachable(cause: unknown): GatewayError {
  const own = findOwn(cause)
  if (own) return own
  const reason = cause instanceof Error ? cause.message.slice(0, 300) : 'unknown failure'
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
