import { gzipSync } from 'node:zlib'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createFakeUpstream } from '../support/fake-upstream.ts'
import { createTestGateway, legacy, modern, type TestGateway } from '../support/gateway.ts'
import { registerShop } from '../support/shop.ts'

/** ATTACKS.md, 21: what is meant to exhaust the gateway is bounded, by size and by time. */
const call = (token: string, name: string, id: unknown = 'mine') =>
  modern(token, 'tools/call', { name, arguments: {} }, {}, id)

describe('a caller who would exhaust the gateway', () => {
  const upstream = createFakeUpstream(['{"name":"echo","inputSchema":{"type":"object"}}'])
  let gateway: TestGateway
  let token: string

  beforeAll(async () => {
    gateway = createTestGateway({
      vars: { BODY_TIMEOUT_MS: '200' },
      seams: { fetcher: upstream.fetcher },
    })
    token = await gateway.token()
    await registerShop(gateway, token)
  })

  beforeEach(() => {
    upstream.seen.length = 0
  })

  const post = (body: BodyInit, headers: Record<string, string> = {}) => {
    const init = call(token, 'echo')
    return gateway.fetch('/shop/mcp', { ...init, headers: { ...init.headers, ...headers }, body })
  }

  /** What is read of it is counted. */
  function bodyOf(pieces: number, size: number) {
    const state = { read: 0, isCancelled: false }
    const stream = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (state.read === pieces) return controller.close()
        state.read += 1
        controller.enqueue(new Uint8Array(size).fill(0x20))
      },
      cancel() {
        state.isCancelled = true
      },
    })
    return { state, stream }
  }

  it('is refused for a body of 10 MB, which is read to its end so that he sees it', async () => {
    const { state, stream } = bodyOf(160, 64 * 1024)
    const response = await post(stream)
    expect(response.status).toBe(413)
    expect(await response.json()).toMatchObject({ error: { data: { code: 'body_too_large' } } })
    expect(state.read).toBe(160)
  })

  it('is refused for a body without end, of which a part is read', async () => {
    const { state, stream } = bodyOf(Number.POSITIVE_INFINITY, 1024 * 1024)
    const response = await post(stream)
    expect(response.status).toBe(413)
    expect(state.isCancelled).toBe(true)
    expect(state.read).toBeLessThan(150)
  })

  it('is refused with 408 for a body that drips', async () => {
    let timer: ReturnType<typeof setInterval> | undefined
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        timer = setInterval(() => controller.enqueue(new Uint8Array([0x20])), 20)
      },
      cancel: () => clearInterval(timer),
    })
    const response = await post(stream)
    clearInterval(timer)
    expect(response.status).toBe(408)
    expect(await response.json()).toMatchObject({ error: { data: { code: 'body_timeout' } } })
    expect(upstream.seen).toEqual([])
  })

  it('is refused for a compressed body: it is never unfolded', async () => {
    const bomb = gzipSync(Buffer.alloc(10 * 1024 * 1024, ' '))
    const response = await post(bomb, { 'content-encoding': 'gzip' })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ error: { data: { code: 'parse_error' } } })
    expect(upstream.seen).toEqual([])
  })

  it.each([
    ['JSON of 100,000 levels', `${'['.repeat(100_000)}${']'.repeat(100_000)}`],
    ['an argument of 100,000 levels', `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
  ])('is refused for %s', async (_what, args) => {
    const init = call(token, 'echo')
    const body = String(init.body).replace('"arguments":{}', `"arguments":${args}`)
    const response = await post(body)
    expect(response.status).toBe(400)
    expect(upstream.seen).toEqual([])
  })

  it('is refused for a batch of 10,000, of which nothing runs', async () => {
    const one = JSON.parse(String(legacy(token, 'tools/list').body)) as object
    const batch = JSON.stringify(Array.from({ length: 10_000 }, (_, id) => ({ ...one, id })))
    const headers = { 'mcp-protocol-version': '2025-03-26', 'mcp-method': '' }
    const response = await post(batch, headers)
    expect(response.status).toBe(400)
    expect(upstream.seen).toEqual([])
  })

  it('may have so many calls open, and no more', async () => {
    const limited = createTestGateway({
      vars: { MAX_CALLS_PER_PRINCIPAL: '3' },
      seams: { fetcher: (request) => (isHeld ? hanging : upstream.fetcher(request)) },
    })
    let isHeld = false
    let release: (response: Response) => void = () => undefined
    const hanging = new Promise<Response>((resolve) => {
      release = resolve
    })
    const root = await limited.token()
    await registerShop(limited, root)
    await (await limited.fetch('/shop/mcp', call(root, 'echo'))).text()
    isHeld = true
    const held = [1, 2, 3].map((n) => limited.fetch('/shop/mcp', call(root, 'echo', n)))
    limited.work.fetches = 0
    await expect
      .poll(async () => {
        const response = await limited.fetch('/shop/mcp', call(root, 'echo', 4))
        return [response.status, response.headers.get('retry-after')]
      })
      .toEqual([429, '1'])
    release(new Response(null, { status: 500 }))
    for (const one of held) await (await one).text()
    isHeld = false
    expect((await limited.fetch('/shop/mcp', call(root, 'echo'))).status).toBe(200)
  })
})
