import { Client as ModernClient, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as LegacyTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import policy from '../../scripts/samples/policy.json' with { type: 'json' }
import { parsePolicySeed } from '../../src/policy/seed.ts'
import { type RunningUpstream, startEverything, startSample } from '../support/processes.ts'

const identity = { name: 'samples-test', version: '1.0.0' }

async function withModern<T>(url: string, use: (client: ModernClient) => Promise<T>): Promise<T> {
  const client = new ModernClient(identity, {
    versionNegotiation: { mode: { pin: '2026-07-28' } },
  })
  await client.connect(new StreamableHTTPClientTransport(new URL(url)))
  try {
    return await use(client)
  } finally {
    await client.close()
  }
}

async function withLegacy<T>(url: string, use: (client: LegacyClient) => Promise<T>): Promise<T> {
  const client = new LegacyClient(identity)
  // The v1 transport predates exactOptionalPropertyTypes, its only quarrel with Transport.
  await client.connect(
    new LegacyTransport(new URL(url)) as unknown as Parameters<LegacyClient['connect']>[0],
  )
  try {
    return await use(client)
  } finally {
    await client.close()
  }
}

describe('the time sample', () => {
  let sample: RunningUpstream
  beforeAll(async () => {
    sample = await startSample('currenttime')
  })
  afterAll(() => sample.stop())

  it('answers a client of the modern era', async () => {
    const result = await withModern(sample.url, (client) =>
      client.callTool({ name: 'current_time_by_timezone', arguments: {} }),
    )
    expect(result.structuredContent).toMatchObject({ timezone: 'America/New_York' })
  })

  it('answers a client of the legacy era', async () => {
    const result = await withLegacy(sample.url, (client) =>
      client.callTool({
        name: 'convert_time',
        arguments: { source_timezone: 'Asia/Kolkata', time: '09:30', target_timezone: 'UTC' },
      }),
    )
    expect(result.structuredContent).toMatchObject({
      target: { timezone: 'UTC', datetime: expect.stringContaining('T04:00:00+00:00') },
    })
  })

  it('answers an unknown zone with an error result', async () => {
    const result = await withModern(sample.url, (client) =>
      client.callTool({ name: 'current_time_by_timezone', arguments: { tz_name: 'Mars/Base' } }),
    )
    expect(result.isError).toBe(true)
    expect(JSON.stringify(result.content)).toContain('is not an IANA time zone')
  })
})

describe('the finance sample', () => {
  let sample: RunningUpstream
  beforeAll(async () => {
    sample = await startSample('fininfo')
  })
  afterAll(() => sample.stop())

  it('says in every result that its data are invented', async () => {
    const result = await withModern(sample.url, (client) =>
      client.callTool({
        name: 'get_stock_aggregates',
        arguments: { stock_ticker: 'acmex', from_date: '2026-01-12', limit: 2 },
      }),
    )
    expect(result.structuredContent).toMatchObject({
      notice: expect.stringContaining('SAMPLE DATA'),
      ticker: 'ACMEX',
      results: [{ date: '2026-01-12' }, { date: '2026-01-13' }],
    })
  })

  it('offers a resource and a prompt to both eras', async () => {
    const modern = await withModern(sample.url, async (client) => ({
      resources: (await client.listResources()).resources.map(({ uri }) => uri),
      prompts: (await client.listPrompts()).prompts.map(({ name }) => name),
    }))
    const legacy = await withLegacy(sample.url, async (client) => ({
      resources: (await client.listResources()).resources.map(({ uri }) => uri),
      prompts: (await client.listPrompts()).prompts.map(({ name }) => name),
    }))
    expect(modern).toEqual({ resources: ['fininfo://tickers'], prompts: ['summarise_stock'] })
    expect(legacy).toEqual(modern)
  })
})

describe('the policy seed', () => {
  it('is a valid seed that names only tools the samples have', async () => {
    const everything = await startEverything()
    const tools = await withLegacy(everything.url, (client) => client.listTools()).finally(
      everything.stop,
    )
    const known = new Set([
      // The gateway's own.
      ...['list_servers', 'health_check', 'proxy_request'],
      ...tools.tools.map(({ name }) => name),
      'current_time_by_timezone',
      'convert_time',
      'get_stock_aggregates',
    ])
    const document = parsePolicySeed(policy)
    const granted = document.scopes['mcp-servers-restricted/execute']?.grants ?? []
    expect(
      granted.flatMap(({ tools: names = [] }) => names).filter((name) => !known.has(name)),
    ).toEqual([])
  })
})
