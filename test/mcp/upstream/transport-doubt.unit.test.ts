import { describe, expect, it } from 'vitest'
import { createTransportDoubt } from '../../../src/mcp/upstream/transport-doubt.ts'

const rpc = (code: number) => JSON.stringify({ jsonrpc: '2.0', id: null, error: { code } })

async function doubtAfter(...answers: readonly (readonly [status: number, body: string])[]) {
  const doubt = createTransportDoubt()
  for (const [status, body] of answers) {
    const given = await doubt.hear(new Response(body, { status }))
    expect([given.status, await given.text()]).toEqual([status, body])
  }
  return { isRaised: doubt.isRaised(), refusedWith: doubt.refusedWith() }
}

describe('whether a server speaks another transport', () => {
  it.each([
    [400, 'nonsense'],
    [404, ''],
    [404, '<p>not found</p>'],
    [405, ''],
    [400, rpc(-32000)],
    [400, rpc(-32601)],
    [404, rpc(-32001)],
  ])('is the question after HTTP %i %s', async (status, body) => {
    expect(await doubtAfter([status, body])).toEqual({ isRaised: true, refusedWith: status })
  })

  it.each([
    [401, ''],
    [403, ''],
    [429, ''],
    [500, ''],
    [503, ''],
    [400, rpc(-32022)],
    [400, rpc(-32021)],
    [400, rpc(-32020)],
    [404, rpc(-32601)],
  ])('is none after HTTP %i %s', async (status, body) => {
    expect(await doubtAfter([status, body])).toMatchObject({ isRaised: false })
  })

  it('is settled by anything that was understood', async () => {
    expect(await doubtAfter([404, ''], [200, '{}'])).toMatchObject({ isRaised: false })
    expect(await doubtAfter([200, '{}'], [404, ''])).toMatchObject({ isRaised: false })
  })

  it('does not read a page to its end', async () => {
    const doubt = createTransportDoubt()
    const given = await doubt.hear(new Response('x'.repeat(100_000), { status: 404 }))
    expect([await given.text(), doubt.isRaised()]).toEqual(['', true])
  })
})
