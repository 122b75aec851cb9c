import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startWorkerd, type WorkerdHandle } from '../../scripts/workerd.ts'

const WRANGLER_TOML = `
name = "probe"
main = "index.js"
compatibility_date = "2026-10-20"
[vars]
GREETING = "from the file"
[[d1_databases]]
binding = "DB"
database_name = "probe"
database_id = "0"
[[durable_objects.bindings]]
name = "COUNTERS"
class_name = "Counter"
[[migrations]]
tag = "v1"
new_sqlite_classes = ["Counter"]
`

const WORKER = `
import { DurableObject } from 'cloudflare:workers'
export class Counter extends DurableObject {
  async add() {
    const count = ((await this.ctx.storage.get('count')) ?? 0) + 1
    await this.ctx.storage.put('count', count)
    return count
  }
}
let requests = 0
let crons = []
export default {
  async fetch(request, env) {
    requests += 1
    const { results } = await env.DB.prepare('SELECT word FROM words').all()
    return Response.json({ requests, crons, count: await env.COUNTERS.getByName('a').add(),
      words: results, greeting: env.GREETING, secret: env.SECRET, publicUrl: env.PUBLIC_URL })
  },
  scheduled(event) {
    console.log('cron', event.cron)
    crons.push(event.cron)
  },
}
`

const SECRET = 'quote " backslash \\ newline \n and é'
let folder: string
let workerd: WorkerdHandle
const ask = async (url: string): Promise<unknown> => (await fetch(url)).json()

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-harness-'))
  await mkdir(join(folder, 'bundle'))
  await mkdir(join(folder, 'migrations'))
  await writeFile(join(folder, 'wrangler.toml'), WRANGLER_TOML)
  await writeFile(join(folder, 'bundle/index.js'), WORKER)
  await writeFile(
    join(folder, 'migrations/0000.sql'),
    "CREATE TABLE words (word TEXT);\n--> statement-breakpoint\nINSERT INTO words VALUES ('a;b');",
  )
  workerd = await startWorkerd({
    bundleDir: join(folder, 'bundle'),
    stateDir: join(folder, 'state'),
    wranglerToml: join(folder, 'wrangler.toml'),
    migrationsDir: join(folder, 'migrations'),
    isolates: 2,
    vars: { SECRET },
  })
})
afterAll(async () => {
  await workerd.stop()
  await rm(folder, { recursive: true })
})

it('gives the Worker its variables, its database and its objects', async () => {
  expect(await ask(workerd.url)).toEqual({
    requests: 1,
    crons: [],
    count: 1,
    words: [{ word: 'a;b' }],
    greeting: 'from the file',
    secret: SECRET,
    publicUrl: workerd.url,
  })
})

it('runs isolates with their own memory over the same objects', async () => {
  expect(await ask(workerd.urls[1] ?? '')).toMatchObject({ requests: 1, count: 2 })
})

it('delivers a cron event to the isolate asked for', async () => {
  expect(await workerd.scheduled('*/5 * * * *', 1)).toBe('ok')
  expect(await ask(workerd.urls[1] ?? '')).toMatchObject({ crons: ['*/5 * * * *'] })
  expect(await ask(workerd.url)).toMatchObject({ crons: [] })
  expect(workerd.output()).toContain('cron */5 * * * *')
})

it('keeps what is stored over a restart and a crash, and nothing else', async () => {
  const before = workerd.pid()
  await workerd.restart()
  expect(workerd.pid()).not.toBe(before)
  expect(await ask(workerd.url)).toMatchObject({ requests: 1, count: 5, words: [{ word: 'a;b' }] })
  await workerd.restart({ hard: true })
  expect(await ask(workerd.url)).toMatchObject({ requests: 1, count: 6 })
})

it('runs SQL for a test and says what is wrong with it', async () => {
  expect(await workerd.sql('SELECT word FROM words WHERE word = ?', 'a;b')).toEqual([
    { word: 'a;b' },
  ])
  await expect(workerd.sql('SELECT nowhere')).rejects.toThrow('no such column')
})

it('says what workerd says when it does not start', async () => {
  await writeFile(join(folder, 'bundle/index.js'), 'export default {')
  const broken = startWorkerd({
    bundleDir: join(folder, 'bundle'),
    stateDir: join(folder, 'broken'),
    wranglerToml: join(folder, 'wrangler.toml'),
    migrationsDir: join(folder, 'migrations'),
  })
  await expect(broken).rejects.toThrow('SyntaxError')
})
