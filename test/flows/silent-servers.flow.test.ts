import { beforeAll, describe, expect, it } from 'vitest'
import { createTestGateway, legacy, modern, type TestGateway } from '../support/gateway.ts'
import { openSession } from '../support/legacy-session.ts'
import { scriptedRoom } from '../support/scripted-room.ts'

const MUTE = 'said nothing for 1 s before its answer was complete'

/** What a client is told whose server says nothing more, and what the others learn of it. */
describe('a modern server that falls silent', () => {
  const room = scriptedRoom('silent-servers')
  let gateway: TestGateway
  let token: string

  beforeAll(async () => {
    gateway = createTestGateway({ vars: { BREAKER_FAILURE_THRESHOLD: '3' } })
    token = await gateway.token()
    for (const path of ['json', 'large', 'hang', 'flood']) {
      await room.register(gateway, token, { path, timeoutMs: 1_000 })
    }
  })

  const lastLine = (tool: string) => gateway.events.filter((event) => event['tool'] === tool).at(-1)

  it.each([
    ['json', 'mute_json'],
    ['hang', 'hang'],
  ])('is said to be silent (%s)', async (path, tool) => {
    const call = modern(token, 'tools/call', { name: tool, arguments: {} })
    const text = await (await gateway.fetch(`/${path}/mcp`, call)).text()
    expect(text).toContain(MUTE)
    expect(lastLine(tool)).toMatchObject({ outcome: 'upstream_timeout' })
  })

  it('within a large event can only be broken off, and is called silent in its line', async () => {
    const call = modern(token, 'tools/call', { name: 'mute_large', arguments: {} })
    const response = await gateway.fetch('/large/mcp', call)
    const text = await response.text().catch(() => 'broken')
    expect(text).toContain(MUTE)
    expect(lastLine('mute_large')).toMatchObject({ outcome: 'upstream_timeout' })
  })

  async function legacyCall(path: string, tool: string): Promise<string> {
    const headers = await openSession(gateway, token, `/${path}/mcp`)
    const call = legacy(token, 'tools/call', { name: tool, arguments: {} }, headers)
    return (await gateway.fetch(`/${path}/mcp`, call)).text()
  }

  it('is said to be silent to a legacy client', async () => {
    const text = await legacyCall('hang', 'hang')
    expect(text).toContain(MUTE)
    expect(text).toContain('upstream_timeout')
  })

  it('is left alone after that, and not for answers that are larger than we carry', async () => {
    for (let count = 0; count < 4; count += 1) {
      expect(await legacyCall('flood', 'sse_huge')).toContain('larger than 8388608 bytes')
    }
    const changes = () => gateway.events.filter(({ type }) => type === 'breaker_changed')
    expect(changes()).toEqual([])
    for (let count = 0; count < 3; count += 1) await legacyCall('hang', 'hang')
    await expect.poll(changes).toMatchObject([{ server: 'hang', phase: 'open' }])
  })
})
