import { describe, expect, it } from 'vitest'
import { httpUrlOf, transportsToTry } from '../../src/registry/transports.ts'

const verdict = (transport: 'sse' | 'streamable-http', transportDetectedAt: number | null) => ({
  ...{ transport, transportDetectedAt },
})

describe('the order in which transports are tried', () => {
  it.each([
    ['a named one alone', 'https://a/', 'sse', undefined, ['sse']],
    [
      'a named one, whatever was found',
      'https://a/',
      'streamable-http',
      verdict('sse', 1),
      ['streamable-http'],
    ],
    ['WebSocket alone for its scheme', 'wss://a/', 'auto', undefined, ['websocket']],
    ['WebSocket in any case', 'WS://a/', 'auto', undefined, ['websocket']],
    ['Streamable HTTP first', 'https://a/', 'auto', undefined, ['streamable-http', 'sse']],
    ['the last verdict first', 'https://a/', 'auto', verdict('sse', 1), ['sse', 'streamable-http']],
    [
      'no verdict that is none',
      'https://a/',
      'auto',
      verdict('sse', null),
      ['streamable-http', 'sse'],
    ],
  ] as const)('is %s', (_what, url, choice, known, order) => {
    expect(transportsToTry(url, choice, known)).toEqual(order)
  })
})

it.each([
  ['ws://a:1/x?y', 'http://a:1/x?y'],
  ['WSS://a/', 'https://a/'],
  ['https://a/ws://', 'https://a/ws://'],
])('the request that opens %s goes to %s', (url, opened) => {
  expect(httpUrlOf(url)).toBe(opened)
})
