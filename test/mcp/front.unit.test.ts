import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { CallContext } from '../../src/core/index.ts'
import { createMcpFront } from '../../src/mcp/front.ts'
import type { McpRoutesDeps } from '../../src/mcp/routes.ts'

/** What an endpoint's URL is, said as an expression: its one group is the name. */
const ENDPOINT_URL = /^https?:\/\/[^/]*(?:\/([^/?]+))?\/mcp(?:\?|$)/

/** The route that answers the URL, and undefined where the front leaves it to the router. */
function routeOf(url: string): string | undefined {
  const facts: CallContext['facts'] = {}
  const front = createMcpFront({ publicUrl: 'https://gw.example' } as McpRoutesDeps)
  const answer = front({ facts } as CallContext, { url } as Request)
  // Nobody is there to be asked who calls.
  answer?.catch(() => undefined)
  return facts.route
}

describe('the front of MCP endpoints', () => {
  it.each([
    ['https://gw.example/mcp', '/mcp'],
    ['http://a/mcp', '/mcp'],
    ['https://gw.example/mcp?x=/y', '/mcp'],
    ['https://gw.example/shop/mcp', '/:server/mcp'],
    ['http://127.0.0.1:8787/shop/mcp?token=a?b', '/:server/mcp'],
    ['https://gw.example/mcp/mcp', '/:server/mcp'],
  ])('answers %s', (url, route) => {
    expect(routeOf(url)).toBe(route)
  })

  it.each([
    'https://gw.example/',
    'https://mcp',
    'https://gw.example/shopmcp',
    'https://gw.example//mcp',
    'https://gw.example/shop//mcp',
    'https://gw.example/a/shop/mcp',
    'https://gw.example/shop/mcp/',
    'https://gw.example/shop/mcp/sse',
    'https://gw.example/shop?/mcp',
    'https://gw.example/?/mcp',
  ])('leaves %s to the router', (url) => {
    expect(routeOf(url)).toBeUndefined()
  })

  it('knows an endpoint by its URL as an expression does', () => {
    const piece = fc.constantFrom('/', '/', 'mcp', '/mcp', 'shop', '?', 'a', 'm', 'p', '%2f', '.')
    const path = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(''))
    const origin = fc.constantFrom('http://a', 'https://gw.example', 'http://127.0.0.1:80')
    fc.assert(
      fc.property(origin, path, (at, rest) => {
        const { href } = new URL(at + (/^[/?]/.test(rest) ? rest : `/${rest}`))
        const found = ENDPOINT_URL.exec(href)
        const expected = found && (found[1] === undefined ? '/mcp' : '/:server/mcp')
        expect(routeOf(href)).toBe(expected ?? undefined)
      }),
      { numRuns: 2_000 },
    )
  })
})
