import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  each,
  editObject,
  fill,
  type MemberEdits,
  rawMember,
  remove,
  replaceMember,
  set,
  within,
} from '../../../src/mcp/wire/edit-members.ts'

describe('an edit of an object', () => {
  it.each<[string, string, MemberEdits, string]>([
    ['replaces a value', '{"a":1.0,"b":2}', { a: set('x') }, '{"a":"x","b":2}'],
    ['adds a member', '{"a":1.0}', { b: set(2) }, '{"a":1.0,"b":2}'],
    ['adds to an empty object', ' { } ', { b: set(2) }, ' {"b":2} '],
    ['removes the first', '{ "a" : 1.0 , "b":2}', { a: remove }, '{"b":2}'],
    ['removes the last', '{"a":1e2,"b":[{}]}', { b: remove }, '{"a":1e2}'],
    ['removes the only one', '{"a":"}"}', { a: remove }, '{}'],
    ['leaves what is not there', '{"a" : 1.0}', { b: remove }, '{"a" : 1.0}'],
    ['fills in what is missing alone', '{"a":1.0}', { a: fill(2), b: fill(2) }, '{"a":1.0,"b":2}'],
    [
      'edits each element',
      '{"l":[ {"a":1.0} , {"b":2} ]}',
      { l: each((raw) => editObject(raw, { a: remove })) },
      '{"l":[{},{"b":2}]}',
    ],
    ['edits no element of what is no array', '{"l":{}}', { l: each(() => '0') }, '{"l":{}}'],
    [
      'edits within a member',
      '{"p":{"m":{"k":1.50,"l":[1,{"k":2}]}}}',
      { p: within({ m: within({ k: remove, n: set(3) }) }) },
      '{"p":{"m":{"l":[1,{"k":2}],"n":3}}}',
    ],
    [
      'makes the objects it needs',
      '{"a":1}',
      { p: within({ m: within({ n: set(3) }) }) },
      '{"a":1,"p":{"m":{"n":3}}}',
    ],
    ['makes no object for a removal', '{"a":1}', { p: within({ m: remove }) }, '{"a":1}'],
    ['replaces what is no object', '{"p":null}', { p: within({ n: set(3) }) }, '{"p":{"n":3}}'],
    [
      'reads escapes of names and values',
      '{"\\u0061":"\\"\\\\","b":"x\\"}"}',
      { a: set(1) },
      '{"\\u0061":1,"b":"x\\"}"}',
    ],
    ['leaves what is no object', '[1, 2]', { a: set(1) }, '[1, 2]'],
  ])('%s', (_title, text, edits, wanted) => {
    expect(editObject(text, edits)).toBe(wanted)
  })

  it('touches nothing named like a member of Object', () => {
    expect(editObject('{"__proto__":1}', { a: set(2) })).toBe('{"__proto__":1,"a":2}')
  })
})

describe('the raw JSON of a member', () => {
  it.each([
    ['{"a": 1.0 ,"b":2}', 'a', '1.0'],
    ['{"a":{"b":[1, 2]} }', 'a', '{"b":[1, 2]}'],
    ['{"a":1}', 'b', undefined],
    ['null', 'a', undefined],
  ])('of %s, %s is %s', (text, name, raw) => {
    expect(rawMember(text, name)).toBe(raw)
  })
})

describe('the value that members lead to', () => {
  it.each<[string, string, string[], string]>([
    ['is replaced', '{"p":{"n":"a","x":1.0}}', ['p', 'n'], '{"p":{"n":9,"x":1.0}}'],
    [
      'is replaced where it nests',
      '{"p" : { "n" : {"n":[1]} }, "q":2}',
      ['p', 'n'],
      '{"p" : { "n" : 9 }, "q":2}',
    ],
    [
      'is found under another spelling',
      '{"\\u0070":{"n":"}\\""}}',
      ['p', 'n'],
      '{"\\u0070":{"n":9}}',
    ],
    [
      'is not another of its name',
      '{"n":1,"q":{"n":2},"p":{}}',
      ['p', 'n'],
      '{"n":1,"q":{"n":2},"p":{}}',
    ],
    ['is not in what is no object', '{"p":[{"n":1}]}', ['p', 'n'], '{"p":[{"n":1}]}'],
    ['is not inherited', '{"p":{}}', ['p', 'constructor'], '{"p":{}}'],
  ])('%s', (_title, text, at, wanted) => {
    expect(replaceMember(text, at, '9')).toBe(wanted)
  })

  it('is the only thing that is another one after it', () => {
    const names = fc.constantFrom('name', 'uri', 'a"b', '\u00e9', '')
    const objects = fc.dictionary(names, fc.jsonValue(), { maxKeys: 4 })
    fc.assert(
      fc.property(
        objects,
        objects,
        names,
        fc.integer({ min: 0, max: 2 }),
        (outer, inner, name, indent) => {
          const message = { ...outer, params: inner, last: 1 }
          const text = JSON.stringify(message, null, indent)
          const wanted = Object.hasOwn(inner, name)
            ? { ...message, params: { ...inner, [name]: 'other' } }
            : message
          const replaced = replaceMember(text, ['params', name], '"other"')
          expect(JSON.parse(replaced)).toEqual(JSON.parse(JSON.stringify(wanted)))
        },
      ),
      { seed: 7, numRuns: 300 },
    )
  })
})
