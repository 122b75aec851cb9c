import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Api, ApiError } from '../../scripts/cli/api.ts'
import { startChild } from '../../scripts/start/child.ts'
import { clientConfig } from '../../scripts/start/client-config.ts'
import { listeningInodes, portState } from '../../scripts/start/port-holder.ts'
import { applySamplePolicy } from '../../scripts/start/register.ts'
import { ensureDevVars, readDevVars } from '../../scripts/start/secrets.ts'
import { freePort } from '../../scripts/workerd/free-port.ts'
import { parseConfig } from '../../src/env.ts'

describe('a port', () => {
  it('is free when nothing listens', async () => {
    expect(await portState(await freePort())).toEqual({ kind: 'free' })
  })

  it('that is held names the process', async () => {
    const holder = createServer()
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve))
    const address = holder.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    expect(await portState(port)).toMatchObject({
      kind: 'held',
      holder: { pid: process.pid, command: expect.stringContaining('node') },
    })
    holder.close()
  })

  it('is found by listening sockets alone', () => {
    const table = [
      '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
      '   0: 0100007F:2253 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1',
      '   1: 0100007F:2253 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 222 1',
      '   2: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 333 1',
    ].join('\n')
    expect(listeningInodes(table, 8787)).toEqual(['111'])
    expect(listeningInodes(table, 80)).toEqual(['333'])
  })
})

describe('.dev.vars', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gatehouse-test-'))
  })
  afterEach(() => rm(folder, { recursive: true }))

  it('is created with secrets that the Worker accepts, readable by its owner alone', async () => {
    const path = join(folder, '.dev.vars')
    expect(await ensureDevVars(path)).toBe('created')
    const vars = await readDevVars(path)
    expect(parseConfig({ PUBLIC_URL: 'http://127.0.0.1:8787', ...vars })).toMatchObject({
      kind: 'config',
      config: { signingKey: { kty: 'EC', crv: 'P-256' } },
    })
    expect((await stat(path)).mode & 0o777).toBe(0o600)
  })

  it('is never overwritten', async () => {
    const path = join(folder, '.dev.vars')
    await ensureDevVars(path)
    const first = await readFile(path, 'utf8')
    expect(await ensureDevVars(path)).toBe('kept')
    expect(await readFile(path, 'utf8')).toBe(first)
  })

  it('gets only what is missing from it', async () => {
    const path = join(folder, '.dev.vars')
    await writeFile(path, 'GATEHOUSE_SECRET=mine\nOTHER=1')
    expect(await ensureDevVars(path)).toBe('created')
    expect(await readDevVars(path)).toEqual({
      GATEHOUSE_SECRET: 'mine',
      OTHER: '1',
      GATEHOUSE_SIGNING_KEY: expect.stringContaining('"crv":"P-256"'),
    })
  })
})

describe('the sample policy', () => {
  /** A gateway with this policy; undefined for one that its administrator may not read. */
  function gatewayWith(policy: object | undefined) {
    const sent: unknown[] = []
    const api: Api = {
      async request(method, _path, body) {
        if (policy === undefined) throw new ApiError('Forbidden', 403)
        if (method === 'PUT') sent.push(body)
        return method === 'PUT' ? body : policy
      },
    }
    return { api, sent }
  }

  it('is put in force where there is none', async () => {
    const { api, sent } = gatewayWith({ 'UI-Scopes': {}, group_mappings: {} })
    expect(await applySamplePolicy(api)).toBe('sample')
    expect(sent).toEqual([expect.objectContaining({ group_mappings: expect.anything() })])
  })

  it('is left alone where it is in force, in whatever order', async () => {
    const sample = JSON.parse(await readFile('scripts/samples/policy.json', 'utf8'))
    for (const scopes of Object.values<string[]>(sample.group_mappings)) scopes.reverse()
    const { api, sent } = gatewayWith(sample)
    expect(await applySamplePolicy(api)).toBe('sample')
    expect(sent).toEqual([])
  })

  it.each([
    ['of its own', { group_mappings: { staff: ['admin'] } }],
    ['that nobody here may read', undefined],
  ])('never replaces a policy %s', async (_what, policy) => {
    const { api, sent } = gatewayWith(policy)
    expect(await applySamplePolicy(api)).toBe('own')
    expect(sent).toEqual([])
  })
})

describe('a child process', () => {
  it('ends with everything it started', async () => {
    let grandchild = 0
    const child = startChild({
      name: 'parent',
      args: [
        '-e',
        "const {spawn}=require('node:child_process');const c=spawn(process.execPath,['-e','setInterval(()=>{},1e3)']);console.log(c.pid);setInterval(()=>{},1e3)",
      ],
      onLine: (line) => {
        grandchild = Number(line)
      },
    })
    await expect.poll(() => grandchild).toBeGreaterThan(0)
    await child.stop()
    expect(await child.exited).toBe('signal SIGTERM')
    await expect.poll(() => isAlive(grandchild)).toBe(false)
  })

  it('keeps the last lines it printed', async () => {
    const child = startChild({ name: 'talker', args: ['-e', 'console.log(1);console.error(2)'] })
    expect(await child.exited).toBe('exit code 0')
    await expect.poll(() => child.tail().split('\n').sort()).toEqual(['1', '2'])
  })
})

it('gives configuration that the three clients can parse', () => {
  const [vscode, cursor, claude] = clientConfig({
    name: 'gatehouse',
    url: 'http://127.0.0.1:8787/mcp',
    token: 'abc',
  })
  expect(JSON.parse(vscode?.text ?? '')).toMatchObject({
    servers: { gatehouse: { type: 'http', headers: { Authorization: 'Bearer abc' } } },
  })
  expect(JSON.parse(cursor?.text ?? '')).toMatchObject({
    mcpServers: { gatehouse: { url: 'http://127.0.0.1:8787/mcp' } },
  })
  expect(claude?.text).toBe(
    'claude mcp add --transport http gatehouse http://127.0.0.1:8787/mcp --header "Authorization: Bearer abc"',
  )
})

/** A zombie that nobody reaps counts as gone. */
async function isAlive(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return status !== '' && !/^State:\s+Z/m.test(status)
}
