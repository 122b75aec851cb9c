import { describe, expect, it } from 'vitest'
import {
  inputOf,
  isDeclared,
  legacyInputRequest,
  retryOf,
  roundOf,
} from '../../../src/mcp/bridge/rounds.ts'

const helloWith = (capabilities: Record<string, unknown>) => ({
  protocolVersion: '2025-11-25',
  capabilities,
  clientInfo: { name: 'old', version: '1' },
})
const asked = (
  method: 'elicitation/create' | 'sampling/createMessage' | 'roots/list',
  params = '{}',
) => ({
  key: 'k',
  method,
  params,
})
const URL_MODE = '{"mode":"url","url":"https://a.example","message":"Go"}'

describe('a result that asks for input', () => {
  it('is read in its order, its values byte for byte', () => {
    const result =
      '{"resultType":"input_required","inputRequests":{"b":{"method":"elicitation/create","params":{"n":1.0}},"a":{"method":"roots/list"}},"requestState":"s\\u0041"}'
    expect(roundOf(result)).toEqual({
      asked: [
        { key: 'b', method: 'elicitation/create', params: '{"n":1.0}' },
        { key: 'a', method: 'roots/list', params: '{}' },
      ],
      requestState: '"s\\u0041"',
    })
  })

  it('may ask for nothing but to come back', () => {
    const result = '{"resultType":"input_required","requestState":"s"}'
    expect(roundOf(result)).toEqual({ asked: [], requestState: '"s"' })
  })

  it.each([
    '{"content":[]}',
    '{"resultType":"complete"}',
    '{"resultType":"input_required","inputRequests":{"a":{"method":"tools/call"}}}',
    '{"resultType":"input_required","inputRequests":{"a":{"method":"toString"}}}',
    '{"resultType":"input_required","inputRequests":{"a":null}}',
  ])('is none: %s', (result) => {
    expect(roundOf(result)).toBeUndefined()
  })
})

describe('a client', () => {
  it.each([
    [asked('elicitation/create'), { elicitation: {} }, true],
    [asked('elicitation/create'), { elicitation: { form: {} } }, true],
    [asked('elicitation/create'), { elicitation: { url: {} } }, false],
    [asked('elicitation/create', URL_MODE), { elicitation: { url: {} } }, true],
    [asked('elicitation/create', URL_MODE), { elicitation: {} }, false],
    [asked('elicitation/create'), {}, false],
    [asked('sampling/createMessage'), { sampling: {} }, true],
    [asked('sampling/createMessage'), { roots: {} }, false],
    [asked('roots/list'), { roots: { listChanged: true } }, true],
    [asked('roots/list'), { elicitation: {} }, false],
  ])('is asked only what it declared: %j of %j is %j', (request, capabilities, wanted) => {
    expect(isDeclared(request, helloWith(capabilities))).toBe(wanted)
  })

  it('is asked as its revision knows it', () => {
    const params = '{"messages":[],"maxTokens":10.0}'
    expect(legacyInputRequest(asked('sampling/createMessage', params), 'i-1')).toBe(
      `{"jsonrpc":"2.0","id":"i-1","method":"sampling/createMessage","params":${params}}`,
    )
    expect(JSON.parse(legacyInputRequest(asked('elicitation/create', URL_MODE), 'i-1'))).toEqual({
      ...{ jsonrpc: '2.0', id: 'i-1', method: 'elicitation/create' },
      params: { ...JSON.parse(URL_MODE), elicitationId: 'i-1' },
    })
  })

  it.each([
    [
      'elicitation/create',
      '{"result":{"action":"accept","content":{"n":1.0}}}',
      '{"action":"accept","content":{"n":1.0}}',
    ],
    ['elicitation/create', '{"error":{"code":-1,"message":"no"}}', '{"action":"cancel"}'],
    ['sampling/createMessage', '{"error":{"code":-1,"message":"no"}}', undefined],
    ['roots/list', '{"result":[]}', undefined],
  ] as const)('answers %s with %s', (method, response, wanted) => {
    expect(inputOf(asked(method), response)).toBe(wanted)
  })
})

describe('the request once more', () => {
  const text = '{"id":1,"params":{"name":"x","arguments":{"n":1.0}}}'

  it('carries answers and state, and is otherwise the same', () => {
    const inputs = new Map([['b"', '{"action":"accept"}']])
    expect(retryOf({ text }, { asked: [], requestState: '"s\\u0041"' }, inputs)).toBe(
      '{"id":1,"params":{"name":"x","arguments":{"n":1.0},"inputResponses":{"b\\"":{"action":"accept"}},"requestState":"s\\u0041"}}',
    )
  })

  it('carries no state when none was given', () => {
    const again = '{"id":1,"params":{"requestState":"old","inputResponses":{}}}'
    expect(retryOf({ text: again }, { asked: [], requestState: undefined }, new Map())).toBe(
      '{"id":1,"params":{}}',
    )
  })
})
