import { describe, expect, it } from 'vitest'
import {
  type CallContext,
  createOutbound,
  EndpointId,
  GatewayError,
  parsePrivateHosts,
  ServerPath,
  TenantId,
} from '../../src/core/index.ts'
import { probeSlice } from '../../src/jobs/probe-slice.ts'
import { createProbe } from '../../src/mcp/index.ts'
import type { Discovery, ProbeRecord, ProbeTarget } from '../../src/registry/index.ts'

const NOW = 1_700_000_000_000
const DISCOVERY: Discovery = {
  transport: 'streamable-http',
  facts: { eras: 'modern', protocolVersions: ['2026-07-28'], sessionful: false },
  tools: [{ name: 'echo' }],
  resources: [],
  resourceTemplates: [],
  prompts: [],
}

const idOf = (index: number) =>
  EndpointId.parse(`00000000-0000-4000-8000-${String(index).padStart(12, '0')}`)

function targetOf(index: number, change: Partial<ProbeTarget> = {}): ProbeTarget {
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
async function runSlice(
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
    signal: new AbortController().signal,
    facts: {},
    waitUntil: () => undefined,
    holdEvent: () => () => undefined,
  }
}

const UP = { health: 'healthy', latencyMs: 7, probedAt: NOW, error: null }
const DOWN = { latencyMs: null, probedAt: NOW, error: 'It is down.' }

describe('an endpoint that refuses a probe as one refuses another transport', () => {
  it('is asked what it speaks now, and what it offers is stored', async () => {
    const found = { ...DISCOVERY, transport: 'sse' as const }
    const seen = await runSlice([targetOf(1), targetOf(2)], {
      doubted: [1],
      discover: async () => found,
    })
    expect(seen.tried).toEqual([['streamable-http', 'sse']])
    expect(seen.stored).toEqual([['server-1', found]])
    expect(seen.records.map(({ error }) => error)).toEqual([null, null])
  })

  it('is down when it speaks nothing else', async () => {
    const seen = await runSlice([targetOf(1)], { doubted: [1], down: [1] })
    expect(seen.discovered).toHaveLength(1)
    expect(seen.records).toMatchObject([{ error: 'It is down.' }])
  })

  it('is asked nothing more when its transport was named, but by that', async () => {
    const target = targetOf(1, { transportChoice: 'sse', transport: 'sse' })
    const seen = await runSlice([target], { doubted: [1] })
    expect(seen.tried).toEqual([['sse']])
  })

  it('waits for another round when this one cannot afford it', async () => {
    const targets = Array.from({ length: 20 }, (_, index) => targetOf(index + 1))
    const seen = await runSlice(targets, { doubted: [1] })
    expect(seen.discovered).toEqual([])
    expect(seen.records[0]).toMatchObject({ error: 'HTTP 405', consecutiveFailures: 1 })
  })
})

describe('what a probe leads to', () => {
  it.each([
    ['an unknown endpoint is healthy at once', 'unknown', 0, 0, 'up', 'healthy', 0, 1],
    ['an unknown endpoint is unhealthy at once', 'unknown', 0, 0, 'down', 'unhealthy', 1, 0],
    ['a healthy one survives a first failure', 'healthy', 0, 4, 'down', 'healthy', 1, 0],
    ['a healthy one survives a second failure', 'healthy', 1, 0, 'down', 'healthy', 2, 0],
    ['a third failure in a row makes it unhealthy', 'healthy', 2, 0, 'down', 'unhealthy', 3, 0],
    ['a success in between starts the count anew', 'healthy', 2, 0, 'up', 'healthy', 0, 1],
    ['one success does not heal', 'unhealthy', 5, 0, 'up', 'unhealthy', 0, 1],
    ['a second success in a row does', 'unhealthy', 0, 1, 'up', 'healthy', 0, 2],
    ['a failure in between starts it anew', 'unhealthy', 0, 1, 'down', 'unhealthy', 1, 0],
  ] as const)('%s', async (_title, health, failures, successes, outcome, ...after) => {
    const target = targetOf(1, {
      health,
      consecutiveFailures: failures,
      consecutiveSuccesses: successes,
    })
    const down = outcome === 'down' ? [1] : []
    const { records, breakers } = await runSlice([target], { down })
    const [afterHealth, consecutiveFailures, consecutiveSuccesses] = after
    expect(records).toEqual([
      {
        ...(outcome === 'up' ? UP : DOWN),
        endpointId: idOf(1),
        health: afterHealth,
        consecutiveFailures,
        consecutiveSuccesses,
      },
    ])
    expect(breakers).toEqual([[idOf(1), outcome === 'up' ? 'success' : 'failure']])
  })

  it('is written in one batch for all', async () => {
    const { records, batches } = await runSlice([1, 2, 3].map((index) => targetOf(index)))
    expect([records.length, batches]).toEqual([3, 1])
  })

  it('is nothing when no endpoint is left', async () => {
    const { batches, done } = await runSlice([])
    expect([batches, done]).toEqual([0, []])
  })
})

describe('a slice', () => {
  it('probes with the custom headers, within ten seconds or the shorter time of the server', async () => {
    const { probed } = await runSlice([targetOf(1), targetOf(2, { timeoutMs: 2_000 })])
    expect(probed).toMatchObject([
      { url: 'https://upstream-1.example/mcp', headers: [['x-key', 'custom']], timeoutMs: 10_000 },
      { timeoutMs: 2_000 },
    ])
  })

  it('has four probes under way at most', async () => {
    const { mostWaiting } = await runSlice(Array.from({ length: 10 }, (_, i) => targetOf(i)))
    expect(mostWaiting).toBe(4)
  })

  it.each([
    ['modern', false, 23],
    ['legacy', false, 11],
    ['unknown', false, 3],
    ['modern', true, 3],
  ] as const)(
    'leaves the rest to the next one when %s endpoints (catalogue: %s) would take more than 50 subrequests',
    async (eras, withCatalog, size) => {
      const targets = Array.from({ length: 24 }, (_, index) =>
        targetOf(index, { upstream: { ...DISCOVERY.facts, eras } }),
      )
      const { records, done } = await runSlice(targets, { withCatalog })
      expect(records).toHaveLength(size)
      expect(done).toEqual(targets.slice(0, size).map(({ endpointId }) => endpointId))
    },
  )

  it('is done with an endpoint that is gone', async () => {
    const gone = targetOf(2, { endpointId: idOf(99) })
    const { done } = await runSlice([targetOf(1), gone])
    expect(done).toEqual([idOf(1), idOf(99)])
  })
})

describe('a slice with catalogues', () => {
  it('asks each endpoint for everything, and has it stored', async () => {
    const { records, discovered, stored, probed } = await runSlice([targetOf(1)], {
      withCatalog: true,
    })
    expect(probed).toEqual([])
    expect(discovered).toEqual([targetOf(1).url])
    expect(stored).toEqual([['server-1', DISCOVERY]])
    expect(records).toMatchObject([{ health: 'healthy', consecutiveSuccesses: 2 }])
  })

  it('also asks one of which nothing is known yet when it is only to be probed', async () => {
    const unknown = { upstream: { ...DISCOVERY.facts, eras: 'unknown' as const } }
    const { discovered, stored } = await runSlice([targetOf(1, unknown)])
    expect([discovered.length, stored.length]).toEqual([1, 1])
  })

  it('takes an endpoint that does not answer for down', async () => {
    const { records, stored, breakers } = await runSlice([targetOf(1)], {
      withCatalog: true,
      down: [1],
    })
    expect(records).toMatchObject([{ health: 'healthy', consecutiveFailures: 1, ...DOWN }])
    expect(breakers).toEqual([[idOf(1), 'failure']])
    expect(stored).toEqual([])
  })

  it('does not hold against an endpoint what the registry could not store', async () => {
    const { records, breakers, events } = await runSlice([targetOf(1)], {
      withCatalog: true,
      storeCatalog: () => Promise.reject(new Error('D1 is down')),
    })
    expect(records).toMatchObject([{ health: 'healthy', consecutiveFailures: 0, error: null }])
    expect(breakers).toEqual([[idOf(1), 'success']])
    expect(events).toEqual([
      {
        type: 'fault',
        requestId: 'probe-1',
        where: 'probe.catalog',
        error: 'Error: D1 is down',
      },
    ])
  })
})

describe('a probe', () => {
  const SESSION = { 'mcp-session-id': 'upstream-session' }
  const HELLO = {
    jsonrpc: '2.0',
    id: 'gatehouse-initialize',
    result: { protocolVersion: '2025-11-25', capabilities: {} },
  }

  /** What a probe of an upstream of this era sends. */
  async function probeOnce(eras: 'modern' | 'legacy', answer: (request: Request) => Response) {
    const sent: string[] = []
    const probe = createProbe(
      createOutbound({
        privateHosts: parsePrivateHosts(''),
        async fetcher(request) {
          const { method } = request
          const rpc = method === 'POST' ? JSON.parse(await request.clone().text()).method : ''
          sent.push(`${method} ${rpc} ${request.headers.get('mcp-session-id') ?? '-'}`)
          return answer(request)
        },
      }),
    )
    const upstream = {
      server: 'one',
      endpoint: idOf(1),
      transport: 'streamable-http' as const,
      url: 'https://upstream.example/mcp',
      headers: [],
      timeoutMs: 1_000,
      eras,
    }
    return { outcome: await probe(context(), upstream), sent }
  }

  it('closes the session that it opened', async () => {
    const { outcome, sent } = await probeOnce('legacy', () =>
      Response.json(HELLO, { headers: SESSION }),
    )
    expect(outcome).toEqual({ kind: 'up', latencyMs: 0 })
    expect(sent).toEqual([
      'POST initialize -',
      'POST notifications/initialized upstream-session',
      'DELETE  upstream-session',
    ])
  })

  it('closes a session whose handshake was not answered', async () => {
    const { outcome, sent } = await probeOnce('legacy', () =>
      Response.json({}, { headers: SESSION }),
    )
    expect(outcome).toEqual({
      kind: 'down',
      error: 'The server "one" did not answer the handshake.',
    })
    expect(sent).toEqual(['POST initialize -', 'DELETE  upstream-session'])
  })

  it('is one request in the modern era', async () => {
    const { outcome, sent } = await probeOnce('modern', () => Response.json({}))
    expect(outcome).toEqual({ kind: 'up', latencyMs: 0 })
    expect(sent).toEqual(['POST server/discover -'])
  })

  it('says what failed', async () => {
    const { outcome } = await probeOnce('modern', () => new Response('', { status: 500 }))
    expect(outcome).toMatchObject({ kind: 'down', error: expect.stringContaining('HTTP 500') })
  })
})

describe('an endpoint whose name leads where nothing may be called', () => {
  it('is unhealthy at once, is not probed, and leaves the others alone', async () => {
    const { records, probed } = await runSlice([targetOf(1), targetOf(2)], { wrong: [1] })
    expect(records).toMatchObject([
      {
        endpointId: idOf(1),
        health: 'unhealthy',
        error: 'The address resolves to a private address.',
      },
      { endpointId: idOf(2), health: 'healthy', error: null },
    ])
    expect(probed.map(({ url }) => url)).toEqual([targetOf(2).url])
  })

  it('costs two subrequests more, which a slice counts', async () => {
    const targets = Array.from({ length: 30 }, (_, index) => targetOf(index))
    const without = await runSlice(targets)
    const withNames = await runSlice(targets, { wrong: [] })
    expect([without.done.length, withNames.done.length]).toEqual([23, 11])
  })
})
