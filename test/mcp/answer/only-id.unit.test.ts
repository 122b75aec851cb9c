import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RequestFacts } from '../../../src/core/index.ts'
import { type AnswerPlan, rulesFor } from '../../../src/mcp/answer/answer-rules.ts'
import { withOnlyId } from '../../../src/mcp/answer/only-id.ts'
import { createJsonEditor } from '../../../src/mcp/wire/json-editor.ts'
import { OUR_ID, plan } from './answer-world.ts'

const OURS: string = JSON.parse(OUR_ID)

function context(facts: RequestFacts) {
  return { facts } as never
}

const modern = (more: Partial<AnswerPlan> = {}) =>
  plan([], { inbound: { method: 'tools/call', era: 'modern' }, ...more })

const NAMES = {
  uri: (original: string) => `gw:${original}`,
  taskId: (sealed: string) => sealed,
  serverRequestId: (raw: string) => raw,
  progressToken: (raw: string) => `"gw:${raw.replaceAll('"', '')}"`,
}

/** What the editor makes of the same answer. */
function edited(own: AnswerPlan, text: string): { text: string; facts: RequestFacts } {
  const facts: RequestFacts = {}
  const rules = rulesFor(context(facts), own, {
    id: () => own.clientId,
    requestState: (raw) => raw,
  })
  const editor = createJsonEditor(rules)
  const parts = [editor.write(new TextEncoder().encode(text)), editor.end()]
  return { text: parts.map((part) => new TextDecoder().decode(part)).join(''), facts }
}

const value = fc.jsonValue({ maxDepth: 3 })
const block = fc.record(
  {
    type: fc.constantFrom('text', 'resource_link', 'resource'),
    text: fc.string(),
    uri: fc.constant('file:///a'),
    resource: fc.constant({ uri: 'file:///b', text: OURS }),
    _meta: value,
  },
  { requiredKeys: ['type'] },
)
const result = fc.record(
  {
    content: fc.oneof(fc.array(block), block, value),
    isError: fc.oneof(fc.boolean(), value),
    structuredContent: fc.oneof(value, fc.constant({ id: OURS })),
    messages: fc.array(fc.record({ content: block })),
    contents: fc.array(block),
    id: fc.constant(OURS),
    _meta: fc.oneof(
      value,
      fc.record(
        {
          progressToken: fc.oneof(fc.string(), fc.integer()),
          ui: fc.constant({ resourceUri: 'ui://a' }),
          'ui/resourceUri': fc.constant('ui://b'),
        },
        { requiredKeys: [] },
      ),
    ),
  },
  { requiredKeys: [] },
)
const message = fc
  .tuple(
    fc.oneof(fc.record({ result }), fc.record({ error: fc.constant({ code: -1, message: OURS }) })),
    fc.constantFrom('first', 'second', 'last', 'between'),
    fc.constantFrom(undefined, 1),
  )
  .map(([body, place, indent]) => {
    const head = { jsonrpc: '2.0' }
    const all = {
      first: { id: OURS, ...head, ...body },
      second: { ...head, id: OURS, ...body },
      between: { ...body, id: OURS, ...head },
      last: { ...body, ...head, id: OURS },
    }[place]
    return { text: JSON.stringify(all, null, indent), parsed: all }
  })

describe('an answer in which only the id changes', () => {
  it.each([
    ['one server', {}],
    ['a shared endpoint', { names: NAMES }],
  ])('becomes what the editor makes of it, at %s', (_where, more) => {
    let quick = 0
    fc.assert(
      fc.property(message, ({ text, parsed }) => {
        const own = modern(more)
        const facts: RequestFacts = {}
        const found = withOnlyId(context(facts), own, text, parsed)
        if (found === undefined) return
        quick += 1
        expect({ text: found, facts }).toEqual(edited(own, text))
      }),
      { numRuns: 2_000, seed: 7 },
    )
    expect(quick).toBeGreaterThan(100)
  })

  const answered = (own: AnswerPlan, text: string) =>
    withOnlyId(context({}), own, text, JSON.parse(text))

  it('is found where the SDKs write it', () => {
    const first = `{"jsonrpc":"2.0","id":${OUR_ID},"result":{"x":"\\u00fc 1.0"}}`
    expect(answered(modern(), first)).toBe(
      '{"jsonrpc":"2.0","id":"mine","result":{"x":"\\u00fc 1.0"}}',
    )
    const last = `{"result":{"x":${OUR_ID}},"jsonrpc":"2.0","id":${OUR_ID}}`
    expect(answered(modern(), last)).toBe(`{"result":{"x":${OUR_ID}},"jsonrpc":"2.0","id":"mine"}`)
  })

  it.each([
    ['a list', { inbound: { method: 'tools/list', era: 'modern' } }, '{"tools":[]}'],
    ['what may be cached', { inbound: { method: 'resources/read', era: 'modern' } }, '{}'],
    ['the state of a request', {}, '{"requestState":"s"}'],
    ['a task', {}, '{"taskId":"t"}'],
  ] as const)('is left to the editor for %s', (_what, more, body) => {
    const text = `{"jsonrpc":"2.0","id":${OUR_ID},"result":${body}}`
    expect(answered(modern(more), text)).toBeUndefined()
  })

  it.each([
    ['twice', `{"jsonrpc":"2.0","id":${OUR_ID},"result":{},"id":${OUR_ID}}`],
    ['as another one and then as ours', `{"jsonrpc":"2.0","id":7,"result":{},"id":${OUR_ID}}`],
    [
      'as ours and in other letters',
      `{"jsonrpc":"2.0","id":${OUR_ID},"result":{},"\\u0069d":${OUR_ID}}`,
    ],
    [
      'at the end of another name',
      `{"id":"\\u0031${OURS.slice(1)}","result":{},"foo\\"id":${OUR_ID}}`,
    ],
  ])('is left to the editor where it stands %s', (_how, text) => {
    expect(answered(modern(), text)).toBeUndefined()
  })

  it('is left to the editor where it is nested deeply, spelt otherwise, or not where it should be', () => {
    const of = (body: string, id = OUR_ID) => `{"jsonrpc":"2.0","x":${body},"id":${id},"result":{}}`
    expect(answered(modern(), of('1'))).toBeUndefined()
    expect(answered(modern(), of('1', `"\\u0031${OURS.slice(1)}"`))).toBeUndefined()
    const deep = `{"jsonrpc":"2.0","id":${OUR_ID},"result":{"x":${'['.repeat(500)}${']'.repeat(500)}}}`
    expect(answered(modern(), deep)).toBeUndefined()
  })
})
