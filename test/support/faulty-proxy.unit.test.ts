import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { FaultKind } from './faults.ts'
import { type FaultyProxy, startFaultyProxy } from './faulty-proxy.ts'
import { onLoopback } from './loopback.ts'

let target: { url: string; paths: string[]; stop(): Promise<void> }
let proxy: FaultyProxy
beforeEach(async () => {
  target = await startTarget()
  const options = { target: `${target.url}/mcp`, flipped: `${target.url}/other` }
  proxy = await startFaultyProxy(options)
})
afterEach(() => Promise.all([proxy.stop(), target.stop()]))

const PADDING = 'x'.repeat(500)
const answerTo = (id: string) => JSON.stringify({ jsonrpc: '2.0', id, result: { PADDING } })

/** Answers each message under its id, and notes where it was sent. */
async function startTarget() {
  const paths: string[] = []
  const server = createServer(async (request, response) => {
    const { id } = JSON.parse(await text(request)) as { id: string }
    paths.push(request.url ?? '')
    response.writeHead(200, { 'content-type': 'application/json', 'x-own': 'yes' })
    response.end(answerTo(id))
  })
  const { origin, stop } = await onLoopback(server)
  return { url: origin, paths, stop }
}

const send = (id: string, signal?: AbortSignal) =>
  fetch(proxy.url, {
    method: 'POST',
    body: JSON.stringify({ jsonrpc: '2.0', id }),
    ...(signal ? { signal } : {}),
  })
const brokenBy = (id: string) =>
  send(id).then(
    async (response) => `headers, then ${await response.text().catch(() => 'broken')}`,
    (error: Error) => String((error.cause as { code?: string } | undefined)?.code),
  )

describe('a faulty proxy', () => {
  it('hands everything through as long as nothing is wrong', async () => {
    const response = await send('a')
    expect(response.status).toBe(200)
    expect(response.headers.get('x-own')).toBe('yes')
    expect(await response.text()).toBe(answerTo('a'))
    expect(target.paths).toEqual(['/mcp'])
  })

  it('refuses connections, and listens again at its address', async () => {
    await proxy.use('refuse')
    expect(await brokenBy('a')).toBe('ECONNREFUSED')
    await proxy.use(undefined)
    expect(await (await send('b')).text()).toBe(answerTo('b'))
    expect(target.paths).toHaveLength(1)
  })

  it('hangs until the fault is over, although the server has acted', async () => {
    await proxy.use('hang')
    const hanging = brokenBy('a')
    await expect.poll(() => target.paths).toHaveLength(1)
    await proxy.use(undefined)
    expect(await hanging).toBe('UND_ERR_SOCKET')
  })

  it('resets in the middle of the answer', async () => {
    await proxy.use('reset')
    expect(await brokenBy('a')).toBe('headers, then broken')
    expect(target.paths).toHaveLength(1)
  })

  it('drips the whole answer', async () => {
    await proxy.use('drip')
    const response = await send('a')
    let pieces = 0
    let text = ''
    const decoder = new TextDecoder()
    for await (const piece of response.body ?? []) {
      pieces += 1
      text += decoder.decode(piece)
    }
    expect(text).toBe(answerTo('a'))
    expect(pieces).toBeGreaterThan(3)
  })

  it('says 500 for what was done', async () => {
    await proxy.use('storm')
    expect((await send('a')).status).toBe(500)
    expect(target.paths).toHaveLength(1)
  })

  it('answers garbage as JSON', async () => {
    await proxy.use('garbage')
    const response = await send('a')
    expect(response.headers.get('content-type')).toBe('application/json')
    await expect(response.json()).rejects.toThrow()
  })

  it('plays the answer to an earlier request', async () => {
    await (await send('first')).text()
    await proxy.use('wrong_id')
    expect(await (await send('second')).text()).toBe(answerTo('first'))
    expect(target.paths).toHaveLength(2)
  })

  it("answers under nobody's id where there was no earlier request", async () => {
    await proxy.use('wrong_id')
    expect(await (await send('first')).json()).toMatchObject({ id: 'nobody-asked' })
  })

  it('sends to the address of the other era', async () => {
    await proxy.use('era_flip')
    expect(await (await send('a')).text()).toBe(answerTo('a'))
    expect(target.paths).toEqual(['/other'])
  })

  it('answers late, and rightly', async () => {
    await proxy.use('latency')
    expect(await (await send('a')).text()).toBe(answerTo('a'))
  })

  it('counts whom each fault met', async () => {
    const faults: FaultKind[] = ['storm', 'garbage', 'storm']
    for (const fault of faults) {
      await proxy.use(fault)
      await (await send('a')).text()
    }
    expect([...proxy.met]).toEqual([
      ['storm', 2],
      ['garbage', 1],
    ])
  })
})
