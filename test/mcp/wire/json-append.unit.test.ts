import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createJsonEditor, type JsonRule } from '../../../src/mcp/wire/json-editor.ts'

function edit(rule: JsonRule, input: string, size: number): string {
  const editor = createJsonEditor(rule)
  const whole = new TextEncoder().encode(input)
  const decoder = new TextDecoder()
  let text = ''
  for (let at = 0; at < whole.length; at += size) {
    text += decoder.decode(editor.write(whole.subarray(at, at + size)), { stream: true })
  }
  return text + decoder.decode(editor.end())
}

const note = () => '{"n":1}'
const RULE: JsonRule = {
  members: {
    result: {
      append: { _meta: () => '{"own":{"n":1}}' },
      members: { _meta: { append: { own: note }, members: { own: { replace: note } } } },
    },
  },
}

describe('what is appended to an object', () => {
  it.each([
    ['{"result":{}}', '{"result":{"_meta":{"own":{"n":1}}}}'],
    ['{"result":{ } }', '{"result":{ "_meta":{"own":{"n":1}}} }'],
    ['{"result":{"a":1.0 }}', '{"result":{"a":1.0 ,"_meta":{"own":{"n":1}}}}'],
    ['{"result":{"a":[{"b":{}}]}}', '{"result":{"a":[{"b":{}}],"_meta":{"own":{"n":1}}}}'],
    ['{"result":{"_meta":{}}}', '{"result":{"_meta":{"own":{"n":1}}}}'],
    ['{"result":{"_meta":{"x":1e5}}}', '{"result":{"_meta":{"x":1e5,"own":{"n":1}}}}'],
    ['{"result":{"_meta":{"own":"forged"}}}', '{"result":{"_meta":{"own":{"n":1}}}}'],
    ['{"result":{"_meta":{"\\u006fwn":0}}}', '{"result":{"_meta":{"\\u006fwn":{"n":1}}}}'],
    ['{"result":{"\\u005fmeta":{}}}', '{"result":{"\\u005fmeta":{"own":{"n":1}}}}'],
    ['{"result":{"_meta":null}}', '{"result":{"_meta":null}}'],
    ['{"result":[1]}', '{"result":[1]}'],
    ['{"error":{"_meta":{}}}', '{"error":{"_meta":{}}}'],
  ])('%s becomes %s', (input, expected) => {
    for (const size of [1, 2, 3, 7, 1_000]) expect(edit(RULE, input, size)).toBe(expected)
  })

  it('is all that is new in any result', () => {
    const members = fc.dictionary(fc.string({ maxLength: 4 }), fc.jsonValue({ maxDepth: 2 }), {
      noNullPrototype: true,
    })
    fc.assert(
      fc.property(
        members,
        fc.option(members, { nil: undefined }),
        fc.nat(20),
        (other, meta, size) => {
          const { _meta: _, ...result } = other
          const given = meta === undefined ? result : { ...result, _meta: meta }
          const edited: unknown = JSON.parse(
            edit(RULE, JSON.stringify({ result: given }), size + 1),
          )
          const wanted = { result: { ...result, _meta: { ...meta, own: { n: 1 } } } }
          // As JSON knows it: it has one zero.
          expect(edited).toEqual(JSON.parse(JSON.stringify(wanted)))
        },
      ),
    )
  })
})
