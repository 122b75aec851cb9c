import { describe, expect, it } from 'vitest'
import {
  createDohResolver,
  createHostVerdicts,
  createOutbound,
  parsePrivateHosts,
} from '../../src/core/index.ts'
import { createDnsDouble, RESOLVER_URL } from '../support/dns-double.ts'

const URL_OF = 'https://shop.example/mcp'

function start(listed = '') {
  const dns = createDnsDouble()
  let now = 0
  let isDown = false
  const behind: Promise<unknown>[] = []
  const privateHosts = parsePrivateHosts(listed)
  const outbound = createOutbound({
    privateHosts,
    fetcher: async (request) => {
      if (isDown) throw new Error('refused')
      return dns.answer(request)
    },
  })
  const verdicts = createHostVerdicts({
    ...{ resolve: createDohResolver(outbound, RESOLVER_URL), privateHosts },
    clock: { now: () => now },
    behind: (work) => behind.push(work),
  })
  return {
    ...{ dns, verdicts },
    advance(ms: number) {
      now += ms
    },
    down() {
      isDown = true
    },
    up() {
      isDown = false
    },
    settle: () => Promise.all(behind.splice(0)),
  }
}

describe('what a name leads to', () => {
  it.each<[string, readonly string[], RegExp | undefined]>([
    ['a public address', ['93.184.216.34'], undefined],
    [
      'public addresses of both families',
      ['93.184.216.34', '2606:2800:21f:cb07:6820:80da:af6b:8b2c'],
      undefined,
    ],
    ['loopback', ['127.0.0.1'], /private/],
    ['a private address among public ones', ['93.184.216.34', '10.0.0.7'], /private/],
    ['a private address of the other family', ['93.184.216.34', 'fd00:0:0:0:0:0:0:1'], /private/],
    ['IPv4 within IPv6', ['0:0:0:0:0:ffff:7f00:1'], /private/],
    ['a link-local address', ['169.254.1.1'], /private/],
    ['a metadata service', ['169.254.169.254'], /metadata/],
    ['nothing', [], /does not resolve/],
  ])('is judged by its addresses: %s', async (_what, addresses, problem) => {
    const { dns, verdicts } = start()
    dns.names.set('shop.example', addresses)
    const found = await verdicts.problemOf(URL_OF)
    if (problem) expect(found).toMatch(problem)
    else expect(found).toBeUndefined()
    expect(dns.asked).toEqual(['shop.example', 'shop.example'])
  })

  it('is not asked for addresses, nor for what an operator listed by name', async () => {
    const { dns, verdicts } = start('intern.example, 10.0.0.0/8')
    for (const host of ['127.0.0.1', '[::1]', '2130706433', 'intern.example', 'intern.example.']) {
      expect(verdicts.problemOf(`https://${host}/`)).toBeUndefined()
    }
    expect(dns.asked).toEqual([])
  })

  it('may be a private address that an operator listed', async () => {
    const { dns, verdicts } = start('10.0.0.0/8')
    dns.names.set('shop.example', ['10.1.2.3'])
    expect(await verdicts.problemOf(URL_OF)).toBeUndefined()
    dns.names.set('other.example', ['169.254.169.254'])
    expect(await verdicts.problemOf('https://other.example/')).toMatch(/metadata/)
  })

  it('is asked once while it is fresh, then behind the call, and before it when it is old', async () => {
    const { dns, verdicts, advance, settle } = start()
    dns.names.set('shop.example', ['93.184.216.34'])
    expect(await verdicts.problemOf(URL_OF)).toBeUndefined()
    advance(9_999)
    expect(verdicts.problemOf(URL_OF)).toBeUndefined()
    await settle()
    expect(dns.asked).toHaveLength(2)
    // It leads elsewhere now: seen behind this call, and so by the next.
    dns.names.set('shop.example', ['127.0.0.1'])
    advance(1)
    expect([verdicts.problemOf(URL_OF), verdicts.problemOf(URL_OF)]).toEqual([undefined, undefined])
    await settle()
    expect(dns.asked).toHaveLength(4)
    expect(verdicts.problemOf(URL_OF)).toMatch(/private/)
    dns.names.set('shop.example', ['93.184.216.34'])
    advance(300_000)
    const asked = verdicts.problemOf(URL_OF)
    expect(asked).toBeInstanceOf(Promise)
    expect(await asked).toBeUndefined()
  })

  it('keeps to the time that the name itself says, between 10 s and a minute', async () => {
    const { dns, verdicts, advance, settle } = start()
    dns.names.set('shop.example', ['93.184.216.34'])
    dns.ttlSeconds = 30
    await verdicts.problemOf(URL_OF)
    advance(29_999)
    expect(verdicts.problemOf(URL_OF)).toBeUndefined()
    expect(dns.asked).toHaveLength(2)
    advance(1)
    verdicts.problemOf(URL_OF)
    await settle()
    expect(dns.asked).toHaveLength(4)
  })

  it('fails closed: unknown is refused, and what was known serves for five minutes', async () => {
    const { dns, verdicts, advance, settle, down } = start()
    dns.names.set('shop.example', ['93.184.216.34'])
    expect(await verdicts.problemOf(URL_OF)).toBeUndefined()
    down()
    expect(await verdicts.problemOf('https://other.example/')).toMatch(/could not be resolved/)
    advance(299_999)
    expect(verdicts.problemOf(URL_OF)).toBeUndefined()
    await settle()
    advance(1)
    expect(await verdicts.problemOf(URL_OF)).toMatch(/could not be resolved/)
  })

  it('is asked for again a second after it could not be found out, before the call', async () => {
    const { dns, verdicts, advance, down, up } = start()
    dns.names.set('shop.example', ['93.184.216.34'])
    down()
    expect(await verdicts.problemOf(URL_OF)).toMatch(/could not be resolved/)
    up()
    advance(999)
    expect(verdicts.problemOf(URL_OF)).toMatch(/could not be resolved/)
    advance(1)
    expect(await verdicts.problemOf(URL_OF)).toBeUndefined()
  })

  it('is refused when one family cannot be found out', async () => {
    const { verdicts } = start()
    expect(await verdicts.ask(URL_OF)).toMatch(/could not be resolved/)
  })
})

describe('an answer of a resolver', () => {
  const resolveBy = (answer: () => Response) =>
    createDohResolver(
      createOutbound({ privateHosts: parsePrivateHosts(''), fetcher: async () => answer() }),
      RESOLVER_URL,
    )

  it.each<[string, () => Response]>([
    ['an error', () => new Response('no', { status: 500 })],
    ['nothing', () => new Response(null)],
    ['a page', () => new Response('<h1>hello</h1>')],
    ['too short', () => new Response(Uint8Array.from([0, 0, 0x81, 0x80, 0, 1, 0, 1]))],
    ['a question', () => new Response(new Uint8Array(12))],
    [
      'cut off in a name',
      () => new Response(Uint8Array.from([0, 0, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0, 63, 97])),
    ],
    ['larger than any message', () => new Response(new Uint8Array(70_000).fill(0x81))],
    [
      'an address of no known length',
      () =>
        new Response(
          Uint8Array.from([
            0, 0, 0x81, 0x80, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 9, 0, 2, 1, 2,
          ]),
        ),
    ],
  ])('that is %s is none', async (_what, answer) => {
    expect(await resolveBy(answer)('shop.example')).toEqual({ kind: 'failed' })
  })

  it.each([['', 'a..b', `${'x'.repeat(64)}.example`, `${'x.'.repeat(130)}example`]])(
    'is not asked for where the name is none',
    async (...names) => {
      let asked = 0
      const resolve = resolveBy(() => {
        asked += 1
        return new Response(null)
      })
      for (const name of names) expect(await resolve(name)).toEqual({ kind: 'failed' })
      expect(asked).toBe(0)
    },
  )
})
