import { describe, expect, it } from 'vitest'
import { createJsonEditor, type JsonRule } from '../../../src/mcp/wire/json-editor.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const text = (parts: Uint8Array[]) => parts.map((part) => new TextDecoder().decode(part)).join('')

/** Feeds the text in pieces of each size and expects one and the same outcome. */
function edit(rule: JsonRule, input: string): string {
  const whole = bytes(input)
  const outcomes = [1, 2, 3, 7, 64, whole.length].map((size) => {
    const editor = createJsonEditor(rule)
    const parts: Uint8Array[] = []
    for (let at = 0; at < whole.length; at += size)
      parts.push(editor.write(whole.slice(at, at + size)))
    parts.push(editor.end())
    const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
    let offset = 0
    for (const part of parts) {
      joined.set(part, offset)
      offset += part.length
    }
    return text([joined])
  })
  expect(new Set(outcomes).size).toBe(1)
  return outcomes[0] ?? ''
}

const idRule: JsonRule = { members: { id: { replace: () => '7' } } }

describe('the JSON editor', () => {
  it.each([
    ['{"jsonrpc":"2.0","id":"abc","result":{}}', '{"jsonrpc":"2.0","id":7,"result":{}}'],
    ['{"result":{"id":1,"x":[{"id":2}]},"id":1}', '{"result":{"id":1,"x":[{"id":2}]},"id":7}'],
    [' { "id" : null , "a":1}', ' { "id" : 7 , "a":1}'],
    ['{"id":12.50e3}', '{"id":7}'],
    ['{"\\u0069d":1}', '{"\\u0069d":7}'],
    ['{"a":"\\"id\\":1","id":"x\\\\"}', '{"a":"\\"id\\":1","id":7}'],
    ['{"id":{"deep":[1,2]},"b":"ü💥"}', '{"id":7,"b":"ü💥"}'],
    ['[{"id":1}]', '[{"id":1}]'],
  ])('replaces only the top-level id of %s', (input, expected) => {
    expect(edit(idRule, input)).toBe(expected)
  })

  it.each([
    '{"big":123456789012345678901234567890,"f":1.0,"e":"\\u00e9"}',
    '"just a string"',
    '[]',
    '{}',
    'true',
    '{ "a" : [ ] }',
  ])('leaves %s as it is, byte for byte', (input) => {
    expect(edit(idRule, input)).toBe(input)
  })

  const toolsRule: JsonRule = {
    members: {
      result: { members: { tools: { keepElement: (raw) => JSON.parse(raw).name !== 'hidden' } } },
    },
  }

  it.each([
    ['first', '[{"name":"hidden"},{"name":"a"}]', '[{"name":"a"}]'],
    ['last', '[{"name":"a"},{"name":"hidden"}]', '[{"name":"a"}]'],
    [
      'middle',
      '[{"name":"a"}, {"name":"hidden"} , {"name":"b","v":1.0}]',
      '[{"name":"a"},{"name":"b","v":1.0}]',
    ],
    ['only', '[{"name":"hidden"}]', '[]'],
    ['none', '[]', '[]'],
    [
      'nested',
      '[{"name":"a","tools":[{"name":"hidden"}]}]',
      '[{"name":"a","tools":[{"name":"hidden"}]}]',
    ],
  ])('drops a refused element that stands %s', (_where, list, expected) => {
    expect(edit(toolsRule, `{"result":{"tools":${list},"nextCursor":"x"}}`)).toBe(
      `{"result":{"tools":${expected},"nextCursor":"x"}}`,
    )
  })

  it('judges every list under the name, also one that is repeated or escaped', () => {
    const list = '[{"name":"hidden"}]'
    expect(edit(toolsRule, `{"result":{"tools":[],"\\u0074ools":${list},"tools":${list}}}`)).toBe(
      '{"result":{"tools":[],"\\u0074ools":[],"tools":[]}}',
    )
  })

  it('drops an element that is too large to judge', () => {
    const big = `{"name":"a","pad":"${'x'.repeat(1_100_000)}"}`
    const editor = createJsonEditor(toolsRule)
    const out = text([
      editor.write(bytes(`{"result":{"tools":[${big},{"name":"b"}]}}`)),
      editor.end(),
    ])
    expect(out).toBe('{"result":{"tools":[{"name":"b"}]}}')
  })

  it('leaves a value that is too large to replace', () => {
    const id = `"${'9'.repeat(200_000)}"`
    expect(edit(idRule, `{"id":${id},"a":1}`)).toBe(`{"id":${id},"a":1}`)
  })

  it('gives a document up rather than leave what must be replaced', () => {
    const rule: JsonRule = { members: { id: { replace: () => '7', mustReplace: true } } }
    const editor = createJsonEditor(rule)
    const out = text([editor.write(bytes(`{"id":"${'9'.repeat(200_000)}","a":1}`))])
    expect(out).toBe('{"id":')
    expect(editor.isWhole()).toBe(false)
  })

  it.each([
    ['{"a":[1,{"b":"]}"}]} ', true],
    ['7', true],
    ['{"a":1', false],
    ['{"a":1}}', false],
    ['{"a":1]', false],
    ['{"a":1},', false],
    ['{"a":1}{}', false],
    ['', false],
    ['"open', false],
    ['['.repeat(1_000) + ']'.repeat(1_000), true],
    ['['.repeat(1_001) + ']'.repeat(1_001), false],
  ])('knows whether %s is one whole document', (input, isWhole) => {
    const whole = bytes(input)
    for (let at = 0; at <= Math.min(whole.length, 40); at += 1) {
      const editor = createJsonEditor(idRule)
      editor.write(whole.slice(0, at))
      editor.write(whole.slice(at))
      expect(editor.isWhole()).toBe(isWhole)
    }
  })

  it('edits every element of an array, and objects and arrays by rules of their own', () => {
    const uri: JsonRule = { members: { uri: { replace: () => '"u"' } } }
    const rule: JsonRule = { members: { content: { ...uri, elements: uri } } }
    const list = '{"content":[{"uri":1}, {"uri":2,"x":[{"uri":3}]} ,4,[{"uri":5}]]}'
    expect(edit(rule, list)).toBe(
      '{"content":[{"uri":"u"}, {"uri":"u","x":[{"uri":3}]} ,4,[{"uri":5}]]}',
    )
    expect(edit(rule, '{"content":{"uri":1,"x":{"uri":2}}}')).toBe(
      '{"content":{"uri":"u","x":{"uri":2}}}',
    )
  })

  it('holds back nothing but the value that a rule names', () => {
    const editor = createJsonEditor(idRule)
    expect(text([editor.write(bytes('{"result":{"text":"half a str'))])).toBe(
      '{"result":{"text":"half a str',
    )
    expect(text([editor.write(bytes('ing"},"id":"par'))])).toBe('ing"},"id":')
    expect(text([editor.write(bytes('t"}'))])).toBe('7}')
  })
})
