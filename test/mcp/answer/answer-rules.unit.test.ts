import { describe, expect, it } from 'vitest'
import {
  type AnswerPlan,
  type NameTranslation,
  rulesFor,
} from '../../../src/mcp/answer/answer-rules.ts'
import { createJsonEditor } from '../../../src/mcp/wire/json-editor.ts'

const names: NameTranslation = {
  taskId: (sealed) => `shop+${sealed}`,
  uri: (original) => `mcp+shop+${original}`,
  serverRequestId: (raw) => JSON.stringify(`shop:${raw}`),
  progressToken: (raw) => JSON.stringify(`shop:${raw}`),
}

function plan(method: string, more: Partial<AnswerPlan> = {}): AnswerPlan {
  return {
    inbound: { method, era: 'legacy' },
    clientId: '1',
    upstreamId: '"up"',
    server: 'shop',
    timeoutMs: 1_000,
    showsTool: 'all',
    showsProgress: () => true,
    onEnd: () => undefined,
    ...more,
  }
}

/** Cut in two at every byte, and expected to come out as one and the same. */
function edit(input: string, of: AnswerPlan): string {
  const ctx = { facts: {} } as never
  const whole = new TextEncoder().encode(input)
  const outcomes = new Set<string>()
  for (let at = 0; at <= whole.length; at += 1) {
    const edits = { id: () => '"ID"', requestState: () => '"STATE"' }
    const editor = createJsonEditor(rulesFor(ctx, of, edits))
    const decoder = new TextDecoder()
    const parts = [editor.write(whole.slice(0, at)), editor.write(whole.slice(at)), editor.end()]
    outcomes.add(parts.map((part) => decoder.decode(part, { stream: true })).join(''))
  }
  expect(outcomes.size).toBe(1)
  return [...outcomes][0] ?? ''
}

const result = (text: string) => `{"id":"ID","result":${text}}`
const message = (text: string) => `{"method":"x","params":${text}}`

describe('where several servers share an endpoint', () => {
  it.each([
    [
      'tools/call',
      '{"content":[{"type":"resource_link","uri":"a:\\u00fc"},{"resource":{"uri":"b:1","text":"b:1"}},{"text":"uri"}]}',
      '{"content":[{"type":"resource_link","uri":"mcp+shop+a:ü"},{"resource":{"uri":"mcp+shop+b:1","text":"b:1"}},{"text":"uri"}]}',
    ],
    [
      'prompts/get',
      '{"messages":[{"role":"user","content":{"resource":{"uri":"a:1"}}},{"content":[{"uri":"a:2"}, {"resource":{"uri":"a:3"}}]}]}',
      '{"messages":[{"role":"user","content":{"resource":{"uri":"mcp+shop+a:1"}}},{"content":[{"uri":"mcp+shop+a:2"}, {"resource":{"uri":"mcp+shop+a:3"}}]}]}',
    ],
    [
      'resources/read',
      '{"contents":[{"uri":"a:1","blob":"AA=="},{"uri":"a:2"}]}',
      '{"contents":[{"uri":"mcp+shop+a:1","blob":"AA=="},{"uri":"mcp+shop+a:2"}]}',
    ],
    [
      'tools/call',
      '{"_meta":{"ui":{"resourceUri":"ui://a"},"ui/resourceUri":"ui://a","uri":"a:1"}}',
      '{"_meta":{"ui":{"resourceUri":"mcp+shop+ui://a"},"ui/resourceUri":"mcp+shop+ui://a","uri":"a:1"}}',
    ],
    // What a tool says in its own words is its own.
    [
      'tools/call',
      '{"structuredContent":{"uri":"a:1"},"content":[{"uri":1,"annotations":{"uri":"a:1"}}]}',
      '{"structuredContent":{"uri":"a:1"},"content":[{"uri":1,"annotations":{"uri":"a:1"}}]}',
    ],
  ])('a result of %s names resources as clients do: %s', (method, before, after) => {
    expect(edit(result(before), plan(method, { names }))).toBe(result(after))
    expect(edit(result(before), plan(method))).toBe(result(before))
  })

  it.each([
    ['{"uri":"a:1","title":"a:1"}', '{"uri":"mcp+shop+a:1","title":"a:1"}'],
    ['{"_meta":{"progressToken":7}}', '{"_meta":{"progressToken":"shop:7"}}'],
    // The client's own token comes back as it is.
    ['{"progressToken":7,"progress":1}', '{"progressToken":7,"progress":1}'],
  ])('a message of the server names its things as clients do: %s', (before, after) => {
    expect(edit(message(before), plan('tools/call', { names }))).toBe(message(after))
    expect(edit(message(before), plan('tools/call'))).toBe(message(before))
  })
})

describe('the state of a request', () => {
  it('is replaced in a result, and nowhere else', () => {
    const sealState = async () => ''
    const text = '{"requestState":"theirs","content":[{"requestState":"x"}]}'
    expect(edit(result(text), plan('tools/call', { sealState }))).toBe(
      result('{"requestState":"STATE","content":[{"requestState":"x"}]}'),
    )
  })
})
