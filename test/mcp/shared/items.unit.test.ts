import { describe, expect, it } from 'vitest'
import { EVERYTHING, OWN, type SharedEndpoint } from '../../../src/mcp/shared/endpoint.ts'
import { findItem, type Named } from '../../../src/mcp/shared/items.ts'
import type { PinnedItem, ServerRecord, TenantSnapshot } from '../../../src/registry/index.ts'
import { adminOf, contextAt, indexed, TENANT } from './shared-lists.ts'

const { id, path, upstream } = indexed(1, 1)
const SERVER: ServerRecord = {
  ...{ id, tenant: TENANT, path, name: 'n', owner: 'o', visibility: 'public', allowedGroups: [] },
  ...{ enabled: true, timeoutMs: 1_000, trustAnnotations: false, resilience: {}, upstream },
  ...{ transport: 'streamable-http', authStrategy: 'none', endpoints: [], headers: [] },
  tools: new Map([['run', { headerParams: [], readOnly: false, idempotent: false }]]),
  prompts: new Set(),
}

const snapshot = {
  server: async (_ctx: unknown, wanted: string) => (wanted === path ? SERVER : undefined),
} as unknown as TenantSnapshot

const uri = (value: string): Named => ({ kind: 'uri', at: ['uri'], value: `mcp+${path}+${value}` })

function find(endpoint: SharedEndpoint, named: Named) {
  const method = named.kind === 'uri' ? 'resources/read' : 'tools/call'
  const of = { actor: adminOf('ann'), snapshot, endpoint, era: 'modern', method, named } as const
  return findItem(
    contextAt(() => 0),
    { ...of, settleEra: async (_ctx, server) => server },
  )
}

/** A virtual server of these templates. */
function templates(...keys: readonly string[]): SharedEndpoint {
  const items = keys.map((key): PinnedItem => {
    return { kind: 'template', server: path, key, name: '', contentHash: 'h', state: 'ok' }
  })
  const words = { name: 'Desk', description: '', instructions: '', owner: 'o', enabled: true }
  const seen = { visibility: 'public', allowedGroups: [] } as const
  const virtual = { id: 'v', tenant: TENANT, path, items, ...words, ...seen }
  return { kind: 'virtual', path: 'desk', virtual }
}

describe('an item of a virtual server', () => {
  it('is a resource that a chosen template stands for, and no other', async () => {
    const endpoint = templates('x://{a}/end', 'y://{+b}')
    expect(await find(endpoint, uri('x://1/end'))).toMatchObject({ original: 'x://1/end' })
    expect(await find(endpoint, uri('y://1/2'))).toMatchObject({ original: 'y://1/2' })
    await expect(find(endpoint, uri('x://1/2/end'))).rejects.toMatchObject({
      code: 'unknown_resource',
    })
  })

  it('is looked for in no more than the length of a hostile URI, in every template', async () => {
    const endpoint = templates(
      ...Array.from({ length: 500 }, (_, at) => `x://{a}{b}{c}{d}/end${at}`),
    )
    await expect(find(endpoint, uri(`x://${'a'.repeat(404)}`))).rejects.toMatchObject({
      code: 'unknown_resource',
    })
  })
})

describe('an item of a server', () => {
  const named: Named = { kind: 'tool', at: ['name'], value: `${path}__run` }

  it('is found where all servers meet, and not among the gateway’s own', async () => {
    expect(await find(EVERYTHING, named)).toMatchObject({ original: 'run' })
    await expect(find(OWN, named)).rejects.toMatchObject({ code: 'unknown_tool' })
    await expect(find(OWN, uri('x://1'))).rejects.toMatchObject({ code: 'unknown_resource' })
  })
})
