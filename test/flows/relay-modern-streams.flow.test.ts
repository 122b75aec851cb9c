import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createTestGateway, modern } from '../support/gateway.ts'
import { ECHO, type ModernRelay, modernRelay } from '../support/modern-relay.ts'
import { scriptedRoom } from '../support/scripted-room.ts'
import { FIRST_EVENT } from '../support/scripted-tools.ts'

describe('the modern relay', () => {
  const room = scriptedRoom('relay-modern-streams')
  let relay: ModernRelay

  beforeAll(async () => {
    relay = await modernRelay(room)
  })

  beforeEach(() => relay.reset())

  it('hands the first event on before the upstream has finished', async () => {
    const response = await relay.tool('drip', 'd')
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    const reader = response.body?.getReader()
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe(FIRST_EVENT)
    await room.control({ release: true })
    const next = new TextDecoder().decode((await reader?.read())?.value)
    expect(next).toBe('data: {"jsonrpc":"2.0","id":"d","result":{"content":[]}}\n\n')
    expect(await reader?.read()).toMatchObject({ done: true })
    expect(relay.eventLines()).toMatchObject([{ tool: 'drip', outcome: 'ok', status: 200 }])
  })

  it('hands the first bytes of a large JSON answer on before the upstream has finished', async () => {
    const response = await relay.tool('drip_json', 'd')
    expect(response.headers.get('content-type')).toBe('application/json')
    const reader = response.body?.getReader()
    expect(new TextDecoder().decode((await reader?.read())?.value)).toContain('first half')
    await room.control({ release: true })
    let rest = ''
    for (let read = await reader?.read(); read && !read.done; read = await reader?.read()) {
      rest += new TextDecoder().decode(read.value)
    }
    expect(rest).toContain('"id":"d"')
  })

  // req: disconnect-cancels
  it('closes the upstream call when the client drops the answer', async () => {
    const response = await relay.tool('hang')
    const reader = response.body?.getReader()
    await reader?.read()
    expect(relay.eventLines()).toEqual([])
    await reader?.cancel()
    await expect.poll(async () => (await room.log()).closed).toEqual(['hang'])
    expect(relay.eventLines()).toMatchObject([{ tool: 'hang', outcome: 'cancelled', status: 200 }])
  })

  // req: disconnect-cancels
  // req: late-answer-dropped
  it.each(['silent', 'hang'])(
    'closes the upstream call when the client goes away (%s)',
    async (name) => {
      const client = new AbortController()
      const answering = relay.send({
        ...modern(relay.token, 'tools/call', { name, arguments: {} }),
        signal: client.signal,
      })
      await expect.poll(async () => (await room.log()).log.length).toBe(1)
      if (name === 'hang') void (await answering).text().catch(() => undefined)
      client.abort()
      await expect.poll(async () => (await room.log()).closed).toEqual([name])
      if (name === 'silent') await (await answering).text()
      await expect.poll(relay.eventLines).toMatchObject([{ tool: name, outcome: 'cancelled' }])
      const next = await relay.call(ECHO)
      expect(next.status).toBe(200)
      await next.text()
    },
  )

  it('counts no client that goes away against the server', async () => {
    const strict = createTestGateway({ vars: { BREAKER_FAILURE_THRESHOLD: '1' } })
    const own = await strict.token()
    await room.register(strict, own)
    for (const name of ['silent', 'hang']) {
      const client = new AbortController()
      const init = modern(own, 'tools/call', { name, arguments: {} })
      const answering = strict.fetch('/scripted/mcp', { ...init, signal: client.signal })
      await expect.poll(async () => (await room.log()).log.at(-1)?.body).toContain(name)
      if (name === 'hang') await answering
      client.abort()
      await (await answering).text().catch(() => undefined)
      await expect.poll(async () => (await room.log()).closed).toEqual([name])
    }
    const next = await strict.fetch('/scripted/mcp', modern(own, 'tools/call', ECHO))
    expect(next.status).toBe(200)
    await next.text()
  })
})
