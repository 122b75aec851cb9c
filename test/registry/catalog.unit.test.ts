import { describe, expect, it } from 'vitest'
import { buildCatalog } from '../../src/registry/catalog.ts'
import { UNKNOWN_UPSTREAM } from '../../src/registry/server-record.ts'

const build = (parts: object) =>
  buildCatalog({
    transport: 'streamable-http',
    facts: UNKNOWN_UPSTREAM,
    tools: [],
    resources: [],
    resourceTemplates: [],
    prompts: [],
    ...parts,
  })

describe('a catalogue', () => {
  it('has the same hash for the same content in any order of items and members', async () => {
    const one = await build({ tools: [{ name: 'a', x: 1, y: 2 }, { name: 'b' }] })
    const two = await build({ tools: [{ name: 'b' }, { y: 2, x: 1, name: 'a' }] })
    expect(two.hash).toBe(one.hash)
    expect(two.items[0]?.contentHash).toBe(one.items[1]?.contentHash)
  })

  it.each([
    ['a description', { tools: [{ name: 'a', description: 'b' }] }],
    ['a kind', { prompts: [{ name: 'a' }] }],
    ['one more item', { tools: [{ name: 'a' }, { name: 'b' }] }],
    ['nothing', {}],
  ])('has another hash for %s that differs', async (_what, parts) => {
    const one = await build({ tools: [{ name: 'a' }] })
    expect((await build(parts)).hash).not.toBe(one.hash)
  })

  it('counts what is served, and keeps what is not with its reason', async () => {
    const catalog = await build({
      tools: [{ name: 'a' }, { name: 'a' }, {}, null],
      resources: [{ uri: 'x:1' }, { name: 'no uri' }],
      resourceTemplates: [{ uriTemplate: 'x:{a}' }],
      prompts: [{ name: 'p' }],
    })
    expect(catalog.counts).toEqual({ tools: 1, resources: 1, resourceTemplates: 1, prompts: 1 })
    expect(
      catalog.items.map(({ kind, position, key, problem }) => [kind, position, key, problem]),
    ).toEqual([
      ['tool', 0, 'a', null],
      ['tool', 1, 'a', 'repeats the name of another'],
      ['tool', 2, '', 'has no usable name'],
      ['tool', 3, '', 'has no usable name'],
      ['resource', 0, 'x:1', null],
      ['resource', 1, '', 'has no usable uri'],
      ['template', 0, 'x:{a}', null],
      ['prompt', 0, 'p', null],
    ])
  })

  it('serves nothing whose name would be stored as another', async () => {
    const catalog = await build({
      tools: [{ name: 'a\ud800' }, { name: 'a\ufffd' }, { name: 'fine\u{1f600}' }],
      resources: [{ uri: 'x:\udc00' }],
    })
    expect(catalog.counts).toMatchObject({ tools: 2, resources: 0 })
    expect(catalog.items.map(({ key, problem }) => [key, problem])).toEqual([
      ['', 'has a name that is not well-formed Unicode'],
      ['a\ufffd', null],
      ['fine\u{1f600}', null],
      ['', 'has a uri that is not well-formed Unicode'],
    ])
  })

  it('takes a schema 60 deep and refuses one 70 deep', async () => {
    const nested = (depth: number): unknown =>
      depth === 0 ? {} : { properties: nested(depth - 1) }
    const tools = (depth: number) => ({ tools: [{ name: 'a', inputSchema: nested(depth) }] })
    expect((await build(tools(60))).counts.tools).toBe(1)
    await expect(build(tools(70))).rejects.toMatchObject({
      code: 'upstream_failed',
      message: 'The server offers a tool of great depth; the registry keeps at most 64.',
    })
  })
})
