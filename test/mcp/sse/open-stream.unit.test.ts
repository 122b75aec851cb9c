import { describe, expect, it } from 'vitest'
import { createOpenStream, type OpenStreamDeps } from '../../../src/mcp/sse/open-stream.ts'

/** A stream that cannot be opened, and how often its place was given back. */
async function fail(part: Partial<OpenStreamDeps>) {
  let over = 0
  const deps = {
    ids: { seal: async () => 'sealed' },
    object: () => ({ fetch: async () => new Response(null, { status: 503 }) }),
    ...part,
  }
  const openStream = createOpenStream(deps as never)
  const ctx = { random: { uuid: () => '00000000-0000-4000-8000-000000000001' } }
  const onOver = () => {
    over += 1
  }
  const opened = openStream(ctx as never, { path: 'mcp', principal: {}, onOver } as never)
  await expect(opened).rejects.toThrow()
  return over
}

describe('a stream that cannot be opened', () => {
  it.each<[string, Partial<OpenStreamDeps>]>([
    ['its id cannot be sealed', { ids: { seal: () => Promise.reject(new Error('no')) } as never }],
    ['its channel is refused', {}],
  ])('gives its place back once, where %s', async (_what, part) => {
    expect(await fail(part)).toBe(1)
  })
})
