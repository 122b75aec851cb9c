import { describe, expect, it } from 'vitest'
import type { ForeignClient, ForeignSession } from './clients/foreign-client.ts'
import { matrixOf } from './compatibility.ts'
import { measure } from './measure.ts'
import type { Offer } from './offers.ts'

const OFFER: Offer = {
  tools: ['echo'],
  call: ['echo', { message: 'hi' }, /^Echo: hi$/],
  prompt: ['greeting', {}, /hello/],
}
const GOOD: ForeignSession = {
  list: async () => ['echo'],
  call: async () => 'Echo: hi',
  read: async () => '',
  prompt: async () => 'hello',
  close: async () => undefined,
}

function outcomes(session: Partial<ForeignSession>, more: Partial<ForeignClient> = {}) {
  const client: ForeignClient = { connect: async () => ({ ...GOOD, ...session }), ...more }
  return measure(client, 'http://127.0.0.1:1/mcp', 'token', OFFER)
}

describe('measuring a client', () => {
  it('tries what is offered, and nothing else', async () => {
    expect(await outcomes({})).toEqual({ list: 'yes', call: 'yes', prompt: 'yes' })
  })

  it('counts an answer that is not the expected one as a failure', async () => {
    const wrong = { list: async () => ['echo', 'more'], call: async () => 'Echo: ho' }
    expect(await outcomes(wrong)).toEqual({
      list: { failed: 'found ["echo","more"]' },
      call: { failed: 'said "Echo: ho"' },
      prompt: 'yes',
    })
  })

  it('keeps one line of what a client said, the same one every time', async () => {
    const call = () =>
      Promise.reject(
        new Error(
          `no\n  answer of 127.0.0.1:4711\n(${crypto.randomUUID()})${' and more'.repeat(50)}`,
        ),
      )
    const { call: outcome } = await outcomes({ call })
    expect(outcome).toMatchObject({
      failed: expect.stringMatching(/^Error: no answer of \{host\} \(\{uuid\}\)( and more)+/),
    })
    expect(JSON.stringify(outcome).length).toBeLessThan(250)
  })

  it('has every verb fail when there is no connection', async () => {
    const failed = 'connecting: Error: refused'
    const connect = () => Promise.reject(new Error('refused'))
    const all = { list: { failed }, call: { failed }, prompt: { failed } }
    expect(await outcomes({}, { connect })).toEqual(all)
  })

  it('does not try what the client lacks by design', async () => {
    const lacking = await outcomes({}, { notOffered: { prompt: 'it has none' } })
    expect(lacking).toEqual({ list: 'yes', call: 'yes', prompt: 'not offered' })
  })
})

describe('the tables of docs/compatibility.md', () => {
  it('say in which era each side spoke, what failed and why, and what was not tried', async () => {
    const worked = { list: 'yes', call: 'yes' } as const
    const matrix = await matrixOf([
      { client: 'SDK v1', endpoint: 'everything', era: 'legacy', outcomes: worked },
      { client: 'SDK v1', endpoint: 'modern', era: 'legacy', outcomes: worked },
      {
        client: 'SDK v1',
        endpoint: 'everything-sse',
        era: 'legacy',
        outcomes: { list: 'yes', call: { failed: 'said "no"' } },
      },
      {
        client: 'SDK v1',
        endpoint: 'everything-ws',
        era: undefined,
        outcomes: { list: { failed: 'Error: gone' }, call: { failed: 'Error: gone' } },
      },
    ])
    const row = matrix.split('\n').find((line) => line.startsWith('| SDK v1 |'))
    expect(row).toMatch(
      / \| legacy \| legacy to modern \| lists, \*\*no call\*\* \| \*\*no\*\* \|$/,
    )
    expect(matrix).toContain('- SDK v1 at everything-sse, call: said "no"')
    expect(matrix).toContain('- SDK v1 at everything-ws, list tools: Error: gone')
    expect(matrix).toMatch(/\| SDK v2 \(auto\) \| [^|]+ \| not tried \| not tried \|/)
  })
})
