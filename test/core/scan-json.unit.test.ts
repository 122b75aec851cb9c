import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { scanJson } from '../../src/core/index.ts'

type Tree = string | readonly Tree[] | { readonly members: readonly (readonly [string, Tree])[] }

const name = fc.oneof(
  fc.constantFrom('id', 'a', 'b', 'c', 'with "quotes"', 'ü', 'x'.repeat(40)),
  fc.integer({ min: 0, max: 60 }).map((at) => `n${at}`),
)
const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom('leaf', '}', '{"a":', ']'),
    fc.array(tie('tree'), { maxLength: 4 }),
    fc.array(fc.tuple(name, tie('tree')), { maxLength: 30 }).map((members) => ({ members })),
  ),
}))

function textOf(of: Tree): string {
  if (typeof of === 'string') return JSON.stringify(of)
  if ('members' in of) {
    return `{ ${of.members.map(([key, value]) => `${JSON.stringify(key)} : ${textOf(value)}`)} }`
  }
  return `[${of.map(textOf)}]`
}

function hasDouble(of: Tree): boolean {
  if (typeof of === 'string') return false
  if (!('members' in of)) return of.some(hasDouble)
  const names = of.members.map(([key]) => key)
  return new Set(names).size < names.length || of.members.some(([, value]) => hasDouble(value))
}

describe('the scan of a JSON text', () => {
  it('refuses it just where an object has a member twice, whatever text came before', () => {
    fc.assert(
      fc.property(tree, (of) => {
        expect(scanJson(textOf(of)).kind).toBe(hasDouble(of) ? 'refused' : 'scanned')
      }),
    )
  })

  it('finds the value of a member of the text itself', () => {
    fc.assert(
      fc.property(tree, tree, (value, other) => {
        fc.pre(!hasDouble(value) && !hasDouble(other))
        const text = `{"first":${textOf(other)},"id": ${textOf(value)} ,"last":{"id":1}}`
        const scan = scanJson(text, 'id')
        const span = scan.kind === 'scanned' ? scan.member : undefined
        expect(text.slice(span?.start, span?.end)).toBe(textOf(value))
      }),
    )
  })

  it.each(['}', ']]}', '{"a":1}}{"a":2}', '"a":1,"a":2', '[1,"a":2,"a":3]'])(
    'leaves %s, which is no JSON, to whoever parses it',
    (text) => {
      expect(scanJson(text).kind).toBe('scanned')
    },
  )

  it.each([
    [`{${Array.from({ length: 40 }, (_, at) => `"k${at}":1`)},"k39":2}`, '"k39" stands twice'],
    [`{"a":${'"long"'.padEnd(5_000)},"a":1}`, '"a" stands twice'],
  ])('refuses a member that stands twice among many, or far apart', (text, reason) => {
    expect(scanJson(text)).toMatchObject({ reason: expect.stringContaining(reason) })
  })
})
