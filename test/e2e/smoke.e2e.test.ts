import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { bundleModules } from '../../scripts/workerd/bundle.ts'
import { startWorkerd } from '../../scripts/workerd.ts'
import { callModern, messageOf, type Stack, startStack } from '../support/e2e.ts'
import { type ModernServer, startModernServer } from '../support/modern-server.ts'

/** A Worker may be 3 MB compressed on the free plan; ours keeps a startup far below a second. */
const MAX_GZIP_BYTES = 600 * 1024

let stack: Stack
let modern: ModernServer
beforeAll(async () => {
  stack = await startStack()
  modern = await startModernServer()
  await stack.register('modern', modern.url)
})
afterAll(async () => {
  await stack.stop()
  await modern.stop()
})

const get = (path: string) => fetch(`${stack.gateway.url}${path}`)

describe('the built bundle', () => {
  it('is at most 600 KiB, all modules compressed', async () => {
    const modules = await bundleModules(inject('bundleDir'))
    const sizes = await Promise.all(
      modules.map(async ({ path }) => gzipSync(await readFile(path)).byteLength),
    )
    const total = sizes.reduce((sum, size) => sum + size, 0)
    console.log(`bundle: ${Math.round(total / 1024)} KiB gzip in ${sizes.length} module(s)`)
    expect(total).toBeLessThanOrEqual(MAX_GZIP_BYTES)
    // Whatever else was written beside them is no part of the upload.
    const files = await readdir(inject('bundleDir'))
    expect(files.filter((name) => !/\.(js|map|md)$/.test(name))).toEqual([])
  })

  it('starts on real workerd and says that it is healthy', async () => {
    const response = await get('/health')
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({
      status: 'ok',
      d1: 'ok',
      servers: { healthy: 1, unhealthy: 0, unknown: 0 },
    })
  })

  it('describes its REST API', async () => {
    const response = await get('/openapi.json')
    expect(response.status).toBe(200)
    const document = await response.json()
    expect(document).toMatchObject({
      openapi: '3.1.0',
      servers: [{ url: `${stack.gateway.url}/api/v1` }],
      paths: { '/servers': { post: { operationId: 'registerServer' } } },
    })
  })

  it('publishes the public half of its signing key, and nothing of the private', async () => {
    const response = await get('/.well-known/jwks.json')
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({
      keys: [
        {
          kty: 'EC',
          crv: 'P-256',
          alg: 'ES256',
          use: 'sig',
          kid: expect.any(String),
          x: expect.any(String),
          y: expect.any(String),
        },
      ],
    })
  })

  it('relays a call', async () => {
    const token = await stack.idp.token('user-service')
    const response = await callModern(stack.mcp('modern'), token, 'echo', { message: 'smoke' })
    expect(response.status).toBe(200)
    expect(await messageOf(response)).toMatchObject({
      id: 1,
      result: { content: [{ type: 'text', text: 'Echo: smoke' }] },
    })
  })

  it('runs where code cannot be made from text', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'gatehouse-eval-'))
    for (const { name, path } of await bundleModules(inject('bundleDir'))) {
      await copyFile(path, join(folder, name === 'index.js' ? 'gatehouse.js' : name))
    }
    await writeFile(join(folder, 'index.js'), ENTRY_THAT_TRIES)
    const workerd = await startWorkerd({ bundleDir: folder, stateDir: join(folder, 'state') })
    try {
      const response = await fetch(`${workerd.url}/tries`)
      expect(await response.json()).toEqual(['EvalError', 'EvalError', 'CompileError'])
      // The gateway is in the same isolate, and answers.
      expect((await fetch(`${workerd.url}/health`)).status).toBe(503)
    } finally {
      await workerd.stop()
      await rm(folder, { recursive: true })
    }
  })
})

const ENTRY_THAT_TRIES = `
import gatehouse from './gatehouse.js'
export * from './gatehouse.js'
const ATTEMPTS = [
  () => eval('1'),
  () => new Function('return 1')(),
  () => new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])),
]
function nameOfFailure(attempt) {
  try {
    attempt()
    return 'worked'
  } catch (error) {
    return error.name
  }
}
export default {
  ...gatehouse,
  fetch(request, env, ctx) {
    const { pathname } = new URL(request.url)
    if (pathname === '/tries') return Response.json(ATTEMPTS.map(nameOfFailure))
    return gatehouse.fetch(request, env, ctx)
  },
}
`
