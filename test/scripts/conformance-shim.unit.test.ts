import { createServer, request as openRequest, type Server } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startShim } from '../../scripts/conformance/shim.ts'
import { freePort } from '../../scripts/workerd/free-port.ts'

describe('the shim before the gateway', () => {
  const cleanups: (() => Promise<unknown>)[] = []
  let port = 0
  let lastWords: () => void = () => {}
  let hungUp: Promise<void>

  beforeEach(async () => {
    let tellHungUp: () => void = () => {}
    hungUp = new Promise((resolve) => {
      tellHungUp = resolve
    })
    const target = createServer((request, response) => {
      response.on('close', tellHungUp)
      response.writeHead(202, { 'mcp-session-id': 's1', 'content-type': 'text/event-stream' })
      const { method, url, headers } = request
      response.write(JSON.stringify({ method, url, headers }))
      lastWords = () => response.end('the end')
    })
    const targetPort = await listen(target)
    cleanups.push(async () => {
      target.closeAllConnections()
      await new Promise((resolve) => target.close(resolve))
    })
    port = await freePort()
    const shim = await startShim({ port, targetPort, token: 'secret' })
    cleanups.push(shim.stop)
  })

  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
  })

  it('adds the token and passes method, path, Host and Origin as they are', async () => {
    const seen = await new Promise<string>((resolve, reject) => {
      const headers = { host: 'evil.example.com', origin: 'http://evil.example.com' }
      const request = openRequest(
        { host: '127.0.0.1', port, method: 'DELETE', path: '/a/mcp?b=c', headers },
        (response) => response.once('data', (chunk) => resolve(String(chunk))),
      )
      request.on('error', reject)
      request.end()
    })
    expect(JSON.parse(seen)).toMatchObject({
      method: 'DELETE',
      url: '/a/mcp?b=c',
      headers: {
        host: 'evil.example.com',
        origin: 'http://evil.example.com',
        authorization: 'Bearer secret',
      },
    })
  })

  it('passes status, headers and a body that is still being written', async () => {
    const response = await fetch(`http://127.0.0.1:${port}/`)
    expect(response.status).toBe(202)
    expect(response.headers.get('mcp-session-id')).toBe('s1')
    const reader = response.body?.getReader()
    const first = await reader?.read()
    expect(new TextDecoder().decode(first?.value)).toContain('"method":"GET"')
    lastWords()
    const last = await reader?.read()
    expect(new TextDecoder().decode(last?.value)).toBe('the end')
  })

  it('hangs up when the caller does', async () => {
    const caller = new AbortController()
    await fetch(`http://127.0.0.1:${port}/`, { signal: caller.signal })
    caller.abort()
    await expect(hungUp).resolves.toBeUndefined()
  })
})

async function listen(server: Server): Promise<number> {
  const port = await freePort()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return port
}
