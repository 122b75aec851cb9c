import { describe, expect, it } from 'vitest'
import { toolFactsOf } from '../../src/registry/tool-facts.ts'

const NAME = 'x-mcp-header'
const tool = (inputSchema: unknown, annotations?: unknown) =>
  toolFactsOf({ name: 't', inputSchema, annotations })
const object = (properties: object, more: object = {}) => ({ type: 'object', properties, ...more })

describe('facts of a tool (MCP 2026-07-28, Tools, Schema Extension)', () => {
  it('collects annotated arguments at any depth of the properties chain', () => {
    const schema = object({
      region: { type: 'string', [NAME]: 'Region' },
      plain: { type: 'string' },
      page: object({ size: { type: 'integer', [NAME]: 'Page-Size' } }),
      dry: { type: 'boolean', [NAME]: 'X-Dry_Run' },
    })
    expect(tool(schema)).toEqual({
      kind: 'facts',
      facts: {
        headerParams: [
          { header: 'Region', path: ['region'], type: 'string' },
          { header: 'Page-Size', path: ['page', 'size'], type: 'integer' },
          { header: 'X-Dry_Run', path: ['dry'], type: 'boolean' },
        ],
        readOnly: false,
        idempotent: false,
      },
    })
  })

  const text = (header: unknown) => ({ type: 'string', [NAME]: header })
  it.each([
    ['an empty name', object({ a: text('') })],
    ['a name with a space', object({ a: text('a b') })],
    ['a name with a line break', object({ a: text('a\r\nb') })],
    ['a name that is no text', object({ a: text(7) })],
    ['a name beyond ASCII', object({ a: text('\u00e9') })],
    ['a name twice in different case', object({ a: text('A'), b: text('a') })],
    ['an annotated number', object({ a: { type: 'number', [NAME]: 'A' } })],
    ['an annotated object', object({ a: { type: 'object', [NAME]: 'A' } })],
    ['an annotated union', object({ a: { type: ['string', 'null'], [NAME]: 'A' } })],
    ['an annotation without a type', object({ a: { [NAME]: 'A' } })],
    ['an annotated root', { ...object({}), [NAME]: 'A' }],
    ['an annotation in array items', object({ a: { type: 'array', items: text('A') } })],
    ['an annotation in prefixItems', object({ a: { prefixItems: [text('A')] } })],
    ['an annotation in oneOf', object({}, { oneOf: [object({ a: text('A') })] })],
    ['an annotation in anyOf of a property', object({ a: { anyOf: [text('A')] } })],
    ['an annotation in if/else', object({}, { if: {}, else: object({ a: text('A') }) })],
    ['an annotation in additionalProperties', object({}, { additionalProperties: text('A') })],
    ['an annotation in patternProperties', object({}, { patternProperties: { x: text('A') } })],
    ['an annotation in $defs', object({}, { $defs: { a: text('A') } })],
  ])('refuses %s', (_what, schema) => {
    expect(tool(schema)).toMatchObject({ kind: 'invalid', problem: expect.stringContaining(NAME) })
  })

  it.each([
    ['no schema', undefined],
    ['a schema of true', true],
    ['a property that is called like the annotation', object({ [NAME]: { type: 'string' } })],
    ['the annotation in an example', object({ a: { type: 'string', examples: [text('A')] } })],
  ])('takes %s as a tool without annotated arguments', (_what, schema) => {
    expect(tool(schema)).toMatchObject({ kind: 'facts', facts: { headerParams: [] } })
  })

  it('believes a hint only when it is true', () => {
    const hints = { readOnlyHint: true, idempotentHint: true }
    expect(tool({}, hints)).toMatchObject({ facts: { readOnly: true, idempotent: true } })
    const odd = { readOnlyHint: 'true', idempotentHint: 1 }
    expect(tool({}, odd)).toMatchObject({ facts: { readOnly: false, idempotent: false } })
    expect(tool({}, 'all')).toMatchObject({ facts: { readOnly: false, idempotent: false } })
  })
})
