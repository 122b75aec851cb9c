import { describe, expect, it } from 'vitest'
import type { InboundRequest } from '../../../src/mcp/eras.ts'
import { wishOf } from '../../../src/mcp/routing/wish.ts'

const asking = (method: string, meta: unknown) =>
  wishOf({ method, params: { name: 'echo', _meta: meta } } as unknown as InboundRequest)

describe('the wish of a request', () => {
  it('is what its client wrote, for what can be routed', () => {
    expect(asking('tools/call', { 'dev.gatehouse/route': { tag: 'eu' } })).toMatchObject({
      tag: 'eu',
    })
    expect(asking('prompts/get', { 'dev.gatehouse/route': { tag: 'eu' } })).toBeUndefined()
    expect(asking('tools/call', {})).toBeUndefined()
  })

  it.each([
    [null, '_meta.dev.gatehouse/route'],
    [{ tag: 1 }, '_meta.dev.gatehouse/route.tag'],
  ])('that cannot be read is refused by where it stands: %j', (wish, path) => {
    const problems = [expect.objectContaining({ path })]
    expect(() => asking('tools/call', { 'dev.gatehouse/route': wish })).toThrow(
      expect.objectContaining({
        code: 'invalid_params',
        detail: expect.objectContaining({ data: { problems } }),
      }),
    )
  })
})
