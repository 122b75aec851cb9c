import { beforeAll, describe, expect, inject, it } from 'vitest'
import { createTestGateway, modern, rest, type TestGateway } from '../support/gateway.ts'

const URI = 'demo://resource/static/document/architecture.md'
const WISH = { 'dev.gatehouse/route': {} }

describe('a resource that several servers have', () => {
  let gateway: TestGateway
  let token: string

  beforeAll(async () => {
    gateway = createTestGateway()
    token = await gateway.token()
    for (const path of ['left', 'right']) {
      const body = { path, name: path, endpoints: [{ url: inject('everythingUrl') }] }
      const made = await gateway.fetch('/api/v1/servers', rest(token, 'POST', body))
      expect([made.status, await made.text()]).toEqual([201, expect.any(String)])
    }
  })

  const read = async (params: object) => {
    const response = await gateway.fetch('/mcp', modern(token, 'resources/read', { ...params }))
    const text = await response.text()
    const data = text.split('\n').filter((line) => line.startsWith('data: {'))
    return JSON.parse(data.at(-1)?.slice('data: '.length) ?? text) as Record<string, unknown>
  }

  it('is read by its own URI where that is wished for, and comes back under whose it is', async () => {
    expect(await read({ uri: URI, _meta: WISH })).toMatchObject({
      result: {
        contents: [{ uri: `mcp+left+${URI}` }],
        _meta: {
          'dev.gatehouse/routing': {
            server: 'left',
            candidates: [{ server: 'left' }, { server: 'right' }],
          },
        },
      },
    })
  })

  it('is unknown without the wish, and so is what nobody has with it', async () => {
    for (const params of [{ uri: URI }, { uri: 'demo://nothing', _meta: WISH }]) {
      expect(await read(params)).toMatchObject({
        error: { code: -32602, message: `Unknown resource: ${params.uri}` },
      })
    }
  })

  it('is found by discovery', async () => {
    const query = `?uri=${encodeURIComponent(URI)}`
    const found = await gateway.fetch(`/api/v1/discovery/resources${query}`, rest(token, 'GET'))
    expect(await found.json()).toMatchObject({
      resources: [
        { uri: URI, servers: [{ server: 'left', as: `mcp+left+${URI}` }, { server: 'right' }] },
      ],
    })
  })
})
