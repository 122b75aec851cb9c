import { execFile } from 'node:child_process'
import { createServer, type Server } from 'node:http'
import { resolve } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'

const CLI = resolve(import.meta.dirname, '../../scripts/gatehouse.ts')
const offering = (server: string) => ({
  server,
  as: `${server}__search`,
  score: 96,
  reason: 'score',
  health: 'healthy',
  breaker: 'closed',
  latencyMs: 12,
})
const FOUND = {
  tools: [{ name: 'search', definition: 'd', servers: [offering('a')], others: [offering('b')] }],
  nextCursor: 'more',
}

const seen: (string | undefined)[] = []
let server: Server
let url: string

beforeAll(async () => {
  server = createServer((request, response) => {
    seen.push(request.url)
    const isTools = request.url?.includes('/tools?')
    response.end(JSON.stringify(isTools ? FOUND : { resources: [] }))
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const address = server.address()
  url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
})
afterAll(() => server.close())

function find(...args: string[]) {
  return new Promise<string>((done) => {
    const command = [CLI, '--url', url, '--token', 't', 'find', ...args]
    execFile(process.execPath, command, (_error, stdout) => done(stdout))
  })
}

it('finds a tool and shows who has it, best first', async () => {
  const shown = await find('tool', 'search', '--tag', 'fast & good')
  expect(seen.pop()).toBe('/api/v1/discovery/tools?name=search&tag=fast+%26+good')
  expect(shown).toMatch(/search\s+a\s+96\s+score\s+healthy\s+12\s+a__search/)
  expect(shown).toMatch(/search\s+b\s+96\s+other definition/)
  expect(shown).toContain('more: --cursor more')
})

it('finds resources, and says that nobody has one', async () => {
  expect(await find('resource', 'file:///a')).toContain('no server has it')
  expect(seen.pop()).toBe('/api/v1/discovery/resources?uri=file%3A%2F%2F%2Fa')
})
