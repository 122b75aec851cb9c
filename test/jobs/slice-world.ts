import {
  type CallContext,
  EndpointId,
  GatewayError,
  ServerPath,
  TenantId,
} from '../../src/core/index.ts'
import { probeSlice } from '../../src/jobs/probe-slice.ts'
import type { Discovery, ProbeRecord, ProbeTarget } from '../../src/registry/index.ts'

export const NOW = 1_700_000_000_000
/** What every upstream offers. */
export const DISCOVERY: Discovery = {
  transport: 'streamable-http',
  facts: { eras: 'modern', protocolVersions: ['2026-07-28'], sessionful: false },
  tools: [{ name: 'echo' }],
  resources: [],
  resourceTemplates: [],
  prompts: [],
}

/** What a failed probe is recorded as, besides health and counts. */
export const DOWN = { latencyMs: null, probedAt: NOW, error: 'It is down.' }

/** The endpoint at this place in a slice. */
export const idOf = (index: number) =>
  EndpointId.parse(`00000000-0000-4000-8000-${String(index).padStart(12, '0')}`)

/** A modern endpoint that is healthy, to be probed at this place in a slice. */
export function targetOf(index: number, change: Partial<ProbeTarget> = {}): ProbeTarget {
  return {
    endpointId: idOf(index),
    serverId: `server-${index}`,
    tenant: TenantId.parse('t-jobs'),
    path: ServerPath.parse(`server-${index}`),
    url: `https://upstream-${index}.example/mcp`,
    transport: 'streamable-http',
    transportChoice: 'auto',
    transportDetectedAt: NOW,
    health: 'healthy',
    consecutiveFailures: 0,
    consecutiveSuccesses: 1,
    timeoutMs: 30_000,
    upstream: { eras: 'modern', protocolVersions: ['2026-07-28'], sessionful: false },
    catalogHash: 'hash',
    discoveredAt: NOW,
    headers: [['x-key', 'custom']],
    ...change,
  }
}

/** One slice over these targets; the upstreams answer as `answers` says, by default they are up. */
export async function runSlice(
  targets: readonly ProbeTarget[],
  options: {
    readonly withCatalog?: boolean
    readonly down?: readonly number[]
    /** Refused as one refuses another transport, and up when asked what they speak. */
    readonly doubted?: readonly number[]
    /** Whose name leads where nothing may be called. */
    readonly wrong?: readonly number[]
    readonly discover?: () => Promise<Discovery>
    readonly storeCatalog?: () => Promise<{ changed: boolean }>
  } = {},
) {
  const isDown = (url: string) => (options.down ?? []).some((index) => url === targetOf(index).url)
  const wrongOf = (url: string) => {
    const isWrong = options.wrong?.some((index) => url === targetOf(index).url)
    return isWrong ? 'resolves to a private address' : undefined
  }
  const isDoubted = (url: string) =>
    (options.doubted ?? []).some((index) => url === targetOf(index).url)
  const seen = {
    records: [] as ProbeRecord[],
    batches: 0,
    breakers: [] as [string, string][],
    probed: [] as { url: string; timeoutMs: number; headers: unknown }[],
    discovered: [] as string[],
    tried: [] as (readonly string[])[],
    stored: [] as [string, Discovery][],
    events: [] as unknown[],
    waiting: 0,
    mostWaiting: 0,
  }
  const waitABit = async () => {
    seen.waiting += 1
    seen.mostWaiting = Math.max(seen.mostWaiting, seen.waiting)
    await new Promise((resolve) => setTimeout(resolve, 1))
    seen.waiting -= 1
  }
  const done = await probeSlice(
    {
      events: { emit: (event) => seen.events.push(event) },
      probes: {
        listEndpointIds: async () => [],
        loadProbeTargets: async (_ctx, ids) =>
          targets.filter(({ endpointId }) => ids.includes(endpointId)),
        async recordProbes(_ctx, records) {
          seen.batches += 1
          seen.records.push(...records)
          return []
        },
        async storeCatalog(_ctx, target, discovery) {
          seen.stored.push([target.path, discovery])
          return options.storeCatalog?.() ?? { changed: true }
        },
      },
      async probe(_ctx, upstream) {
        seen.probed.push(upstream)
        await waitABit()
        if (isDoubted(upstream.url)) {
          return { kind: 'down', error: 'HTTP 405', speaksOfAnother: true }
        }
        return isDown(upstream.url)
          ? { kind: 'down', error: 'It is down.' }
          : { kind: 'up', latencyMs: 7 }
      },
      async discover(_ctx, upstream, { transports }) {
        seen.discovered.push(upstream.url)
        seen.tried.push(transports)
        await waitABit()
        if (isDown(upstream.url)) throw new GatewayError('upstream_unreachable', 'It is down.')
        return options.discover?.() ?? DISCOVERY
      },
      breakers: {
        peek: () => 'closed',
        admitsAtOnce: () => true,
        admit: async () => ({ kind: 'closed' }),
        record: (_ctx, endpoint, outcome) => seen.breakers.push([endpoint, outcome]),
      },
      ...(options.wrong ? { hosts: { ask: async (url: string) => wrongOf(url) } } : {}),
    },
    context(),
    targets.map(({ endpointId }) => endpointId),
    options.withCatalog ?? false,
  )
  return { ...seen, done }
}

function context(): CallContext {
  return {
    requestId: 'probe-1',
    clock: { now: () => NOW },
    random: { uuid: () => 'uuid', fraction: () => 0, bytes: (size) => new Uint8Array(size) },
    caller: new AbortController(),
    facts: {},
    waitUntil: () => undefined,
    holdEvent: () => () => undefined,
  }
}
