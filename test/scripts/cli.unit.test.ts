import { createServer } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseDuration } from '../../scripts/cli/duration.ts'
import { withRouting } from '../../scripts/cli/routing.ts'
import { table } from '../../scripts/cli/table.ts'
import { gatehouse } from '../support/cli.ts'
import { type Loopback, onLoopback } from '../support/loopback.ts'

describe('misuse', () => {
  it.concurrent.each([
    { name: 'no command', args: [], says: 'Usage: gatehouse' },
    { name: 'an unknown noun', args: ['gizmo'], says: "unknown command 'gizmo'" },
    { name: 'a noun without a verb', args: ['server'], says: 'Usage: gatehouse server' },
    { name: 'an unknown verb', args: ['find', 'what'], says: 'tool [options] [name]' },
    { name: 'an unknown option', args: ['health', '--fast'], says: "unknown option '--fast'" },
    {
      name: 'a missing argument',
      args: ['server', 'show'],
      says: "missing required argument 'path'",
    },
    {
      name: 'arguments that are no object',
      args: ['call', 'a', 'b', '--args', '[1]'],
      says: 'must be a JSON object',
    },
    {
      name: 'a balancing algorithm that there is not',
      args: ['server', 'add', 'x', '--endpoint', 'http://x', '--balancer', 'magic'],
      says: 'Allowed choices are round-robin, weighted',
    },
    {
      name: 'a hash by nothing known',
      args: ['server', 'set', 'x', '--hash-by', 'moon'],
      says: 'must be principal, session or header:<name>',
    },
    { name: 'nothing to set', args: ['server', 'set', 'x'], says: 'nothing to set' },
    { name: 'a missing token', args: ['server', 'list'], says: 'no token' },
    { name: 'a URL that is none', args: ['health', '--url', 'nowhere'], says: 'is not a URL' },
    {
      name: 'a policy file that is not there',
      args: ['policy', 'apply', 'nowhere.yml'],
      says: 'cannot read nowhere.yml',
    },
    { name: 'a token that is none', args: ['token', 'inspect', 'abc'], says: 'not a JWT' },
    {
      name: 'a lifetime without sense',
      args: ['token', 'create', '--subject', 'a', '--ttl', 'soon'],
      says: 'must be a duration',
    },
  ])('exits 2 for $name and says so', async ({ args, says }) => {
    const run = await gatehouse(args)
    expect(run.stderr).toContain(says)
    expect(run.stdout).toBe('')
    expect(run.code).toBe(2)
  })

  it('says where it looked for the token of a local gateway', async () => {
    const run = await gatehouse(['server', 'list'])
    expect(run.stderr).toContain('the state folder /nonexistent (GATEHOUSE_STATE names another)')
  })

  it('exits 0 for help', async () => {
    expect(await gatehouse(['--help'])).toMatchObject({ code: 0, stderr: '' })
  })
})

describe('how calls are spread', () => {
  it('is set by options, and leaves the other settings of the server', () => {
    const before = { deadlineMs: 1_000, balancer: 'random' } as const
    expect(
      withRouting(before, { balancer: 'consistent-hash', hashBy: { header: 'x-room' } }),
    ).toEqual({
      deadlineMs: 1_000,
      balancer: 'consistent-hash',
      hashBy: { header: 'x-room' },
    })
    expect(withRouting(before, {})).toEqual(before)
  })

  it('takes what consistent-hash goes by along with it, and away with it', () => {
    const hashed = { deadlineMs: 1_000, balancer: 'consistent-hash', hashBy: 'session' } as const
    expect(withRouting({ deadlineMs: 1_000 }, { hashBy: 'session' })).toEqual(hashed)
    expect(withRouting(hashed, { balancer: 'consistent-hash' })).toEqual(hashed)
    expect(withRouting(hashed, { hashBy: 'principal' })).toEqual({ ...hashed, hashBy: 'principal' })
    expect(withRouting(hashed, { balancer: 'random' })).toEqual({
      deadlineMs: 1_000,
      balancer: 'random',
    })
  })
})

describe('against a gateway', () => {
  let gateway: Loopback
  let url: string
  const problem = {
    type: 'urn:gatehouse:error:not_found',
    title: 'Not found',
    status: 404,
    code: 'not_found',
    detail: 'There is no server named "x".',
    fix: 'Check the name.',
    requestId: 'req-12345678',
  }

  beforeAll(async () => {
    const server = createServer((request, response) => {
      const healthy = request.url === '/health'
      const authorized = request.headers.authorization === 'Bearer t'
      response.writeHead(healthy || !authorized ? 200 : 404, {
        'content-type': healthy ? 'application/json' : 'application/problem+json',
      })
      const count = Number(/problems-(\d)/.exec(request.url ?? '')?.[1] ?? 0)
      const problems = Array.from({ length: count }, (_, at) => ({
        path: `p${at}`,
        message: 'is odd',
      }))
      const told = { ...problem, ...(count > 0 && { problems }) }
      response.end(JSON.stringify(healthy ? { status: 'ok', d1: 'ok', authorized } : told))
    })
    gateway = await onLoopback(server)
    url = gateway.origin
  })
  afterAll(() => gateway.stop())

  it('renders a refusal with what, why, fix and request id, and exits 1', async () => {
    const run = await gatehouse(['server', 'show', 'x', '--url', url, '--token', 't'])
    expect(run).toMatchObject({
      code: 1,
      stdout: '',
      stderr:
        'error: Not found (404 not_found)\nwhy: There is no server named "x".\nfix: Check the name.\nrequest id: req-12345678\n',
    })
  })

  it.each([
    [1, ''],
    [2, '  p0: is odd\n  p1: is odd\n'],
  ])('lists what is wrong where it is more than `why` says: %i', async (count, lines) => {
    const show = ['server', 'show', `problems-${count}`]
    const { stderr } = await gatehouse([...show, '--url', url, '--token', 't'])
    expect(stderr).toContain(`why: There is no server named "x".\n${lines}fix: `)
  })

  it('answers with JSON when asked, errors too', async () => {
    const health = await gatehouse(['health', '--json', '--url', url])
    expect(JSON.parse(health.stdout)).toMatchObject({ status: 'ok', authorized: false })
    const refused = await gatehouse(['--json', 'server', 'show', 'x'], {
      GATEHOUSE_URL: url,
      GATEHOUSE_TOKEN: 't',
    })
    expect(refused.code).toBe(1)
    expect(JSON.parse(refused.stderr)).toMatchObject({ error: { code: 'not_found' } })
  })

  it('exits 1 when nothing answers', async () => {
    const run = await gatehouse(['health', '--url', 'http://127.0.0.1:9'])
    expect(run.code).toBe(1)
    expect(run.stderr).toContain('does not answer')
  })
})

it('reads durations with and without a unit', () => {
  expect(['90', '90s', '15m', '24h', '7d', '', '5w', '-1'].map(parseDuration)).toEqual([
    90,
    90,
    900,
    86_400,
    604_800,
    undefined,
    undefined,
    undefined,
  ])
})

it('lines columns up by their widest cell', () => {
  expect(table(['a', 'bb'], [['long', 'x']])).toBe('a     bb\nlong  x')
})
