import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type NotingGateway, startNotingGateway } from '../support/cli.ts'

const INPUT = { name: 'heavy', per: ['tool'], limit: 5, window: 'day' }
const RULE = { id: 'r1', match: { servers: ['a', 'b'] }, enabled: true, weight: 2, ...INPUT }
const USE = {
  ...{ rule: 'r1', name: 'heavy', partition: { tool: 'x' } },
  ...{ limit: 5, window: 60_000, used: 2.5 },
}
const AT = '/api/v1/limits'
const ANSWERS: Readonly<Record<string, unknown>> = {
  [`GET ${AT}`]: { rules: [RULE] },
  [`GET ${AT}/usage`]: { counters: [USE], isCut: true },
}

let gateway: NotingGateway
let folder: string

const limit = (...args: string[]) => gateway.run('limit', ...args)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'limit-cli-'))
  gateway = await startNotingGateway((method, url) => ANSWERS[`${method} ${url}`] ?? RULE)
})
afterAll(async () => {
  await gateway.stop()
  await rm(folder, { recursive: true })
})
beforeEach(() => {
  gateway.seen.length = 0
})

const SHOWN = `id  name   limit    per   match        weight  state
r1  heavy  5 a day  tool  servers=a,b  2       enabled
`

describe('gatehouse limit', () => {
  it('lists rules, and shows one', async () => {
    expect(await limit('list')).toEqual({ code: 0, stdout: SHOWN, stderr: '' })
    expect(await limit('show', 'r1')).toEqual({ code: 0, stdout: SHOWN, stderr: '' })
    expect(gateway.seen).toEqual([
      ['GET', AT, undefined],
      ['GET', `${AT}/r1`, undefined],
    ])
  })

  it('adds one, changes one, deletes one', async () => {
    const file = join(folder, 'rule.json')
    await writeFile(file, JSON.stringify(INPUT))
    expect(await limit('add', file)).toEqual({ code: 0, stdout: SHOWN, stderr: '' })
    const patch = join(folder, 'patch.yml')
    await writeFile(patch, 'limit: 9\n')
    expect((await limit('set', 'r1', patch)).code).toBe(0)
    expect(await limit('delete', 'r1')).toMatchObject({ code: 0, stdout: 'deleted r1\n' })
    expect(gateway.seen).toEqual([
      ['POST', AT, INPUT],
      ['PATCH', `${AT}/r1`, { limit: 9 }],
      ['DELETE', `${AT}/r1`, undefined],
    ])
  })

  it('shows what is used, for people and as JSON', async () => {
    expect((await limit('usage')).stdout).toBe(`limit  used    window  of
heavy  3 of 5  60 s    tool=x
more than these are in use
`)
    expect(JSON.parse((await limit('--json', 'usage')).stdout)).toEqual({
      counters: [USE],
      isCut: true,
    })
  })

  it('says what it was used wrongly for', async () => {
    expect(await limit('add', join(folder, 'missing.json'))).toMatchObject({ code: 2 })
    expect(gateway.seen).toEqual([])
  })
})
