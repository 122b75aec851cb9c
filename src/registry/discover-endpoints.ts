import {
  type CallContext,
  type EndpointId,
  GatewayError,
  type HostVerdicts,
  invalidInput,
} from '../core/index.ts'
import { buildCatalog, type Catalog } from './catalog.ts'
import type { CustomHeaders } from './custom-headers.ts'
import type { DiscoverUpstream, Discovery, UpstreamFacts } from './server-record.ts'
import { type Transport, type TransportChoice, transportsToTry } from './transports.ts'

/** Asking takes several requests; a server that needs longer than this is not up. */
const MAX_DISCOVERY_MS = 15_000

/** What came of asking every endpoint of a server. */
export interface DiscoveryOutcome {
  /** Of the first endpoint that answered; undefined when none did. */
  readonly found:
    | {
        readonly facts: UpstreamFacts
        readonly catalog: Catalog
        readonly transport: Transport
        readonly choice: TransportChoice
      }
    | undefined
  /** By URL: what failed, or null for an endpoint that answered. */
  readonly problems: ReadonlyMap<string, string | null>
}

export interface DiscoveryOptions {
  readonly endpoints: readonly { readonly id: EndpointId; readonly url: string }[]
  readonly choice: TransportChoice
  readonly headers: CustomHeaders
  readonly timeoutMs: number
  /** Whether a server of which no endpoint answers is an outcome instead of an error. */
  readonly allowUnreachable: boolean
  readonly triesLegacy: boolean
}

/** @see createDiscoverEndpoints */
export type DiscoverEndpoints = (
  ctx: CallContext,
  options: DiscoveryOptions,
) => Promise<DiscoveryOutcome>

/**
 * Asks the endpoints one after the other (an invocation has six connections at once). Throws
 * `upstream_unreachable` naming what failed at each endpoint when none answered, `upstream_failed`
 * when a catalogue is over its bounds, and `invalid_params` for names that lead where nothing may
 * be called: unlike what does not answer today, that is never stored.
 */
export function createDiscoverEndpoints(
  discover: DiscoverUpstream,
  hosts?: Pick<HostVerdicts, 'ask'>,
): DiscoverEndpoints {
  return async (ctx, options) => {
    const { endpoints, choice, headers, timeoutMs, allowUnreachable, triesLegacy } = options
    await requireHosts(endpoints, hosts)
    const problems = new Map<string, string | null>()
    let found: DiscoveryOutcome['found']
    for (const { id: endpoint, url } of endpoints) {
      const address = {
        ...{ endpoint, url },
        headers: Object.entries(headers),
        timeoutMs: Math.min(timeoutMs, MAX_DISCOVERY_MS),
      }
      // One server is spoken to in one way: the first that answers decides for the others.
      const transports = found ? [found.transport] : transportsToTry(url, choice)
      const answer = await ask(() => discover(ctx, address, { transports, triesLegacy }))
      problems.set(url, answer.kind === 'failed' ? answer.problem : null)
      if (answer.kind === 'failed' || found !== undefined) continue
      const { facts, transport } = answer.discovery
      found = { facts, transport, choice, catalog: await buildCatalog(answer.discovery) }
    }
    if (found === undefined && !allowUnreachable) throw unreachable(problems)
    return { found, problems }
  }
}

async function requireHosts(
  endpoints: DiscoveryOptions['endpoints'],
  hosts: Pick<HostVerdicts, 'ask'> | undefined,
): Promise<void> {
  const wrong: { readonly path: string; readonly message: string }[] = []
  for (const [index, { url }] of endpoints.entries()) {
    const message = await hosts?.ask(url)
    if (message !== undefined) wrong.push({ path: `endpoints.${index}.url`, message })
  }
  if (wrong.length > 0) throw invalidInput(wrong)
}

type Answer =
  | { readonly kind: 'answered'; readonly discovery: Discovery }
  | { readonly kind: 'failed'; readonly problem: string }

async function ask(discover: () => Promise<Discovery>): Promise<Answer> {
  try {
    return { kind: 'answered', discovery: await discover() }
  } catch (thrown) {
    // Anything else is our own fault and says nothing of the endpoint.
    if (!(thrown instanceof GatewayError)) throw thrown
    return { kind: 'failed', problem: thrown.message }
  }
}

function unreachable(problems: ReadonlyMap<string, string | null>): GatewayError {
  const failed = [...problems].map(([url, problem]) => ({
    // The query may hold a key.
    endpoint: url.split('?')[0] ?? url,
    problem: problem ?? '',
  }))
  const text = failed.map(({ endpoint, problem }) => `${endpoint}: ${problem}`).join(' ')
  return new GatewayError('upstream_unreachable', `No endpoint answered. ${text}`, {
    fix: 'Check the URL and the server, or register it with ?allowUnreachable=true (CLI: --allow-unreachable).',
    data: { endpoints: failed },
  })
}
