import { describe, expect, it } from 'vitest'
import { ServerId, ServerPath } from '../../../src/core/index.ts'
import type { ListName } from '../../../src/mcp/list-changes.ts'
import {
  createInterests,
  MAX_OF_OWNER,
  MAX_SERVERS_OF_STREAM,
  MAX_TASKS_OF_STREAM,
  MAX_URIS_OF_STREAM,
} from '../../../src/mcp/notices/interests.ts'
import type { ServerWant } from '../../../src/mcp/notices/notice.ts'

const SERVER = ServerId.parse('00000000-0000-4000-8000-000000000001')
const want = (lists: ListName[], uris: string[] = [], server = SERVER): ServerWant => ({
  server,
  path: ServerPath.parse('one'),
  lists,
  uris,
})
const union = (interests: ReturnType<typeof createInterests>) => {
  const { lists, uris } = interests.union(SERVER) ?? {}
  return { lists, uris }
}

describe('what is wanted of a server', () => {
  it('is what anybody wants, for as long as somebody does', () => {
    const interests = createInterests()
    expect(interests.set('a', [want(['tools'], ['x:1'])])).toEqual([SERVER])
    interests.set('b', [want(['tools', 'prompts'], ['x:1', 'x:2'])])
    expect(union(interests)).toEqual({ lists: ['tools', 'prompts'], uris: ['x:1', 'x:2'] })
    interests.set('b', [want(['tools'])])
    expect(union(interests)).toEqual({ lists: ['tools'], uris: ['x:1'] })
    expect(interests.set('a', [])).toEqual([SERVER])
    expect(union(interests)).toEqual({ lists: ['tools'], uris: [] })
    interests.set('b', [])
    expect(interests.union(SERVER)).toBeUndefined()
    expect(interests.servers()).toEqual([])
  })

  it('counts once what a subscriber wants twice', () => {
    const interests = createInterests()
    interests.set('a', [want(['tools', 'tools'], ['x:1', 'x:1'])])
    expect(interests.hearers(SERVER, { kind: 'list', list: 'tools' })).toEqual(['a'])
    interests.set('a', [])
    expect(interests.union(SERVER)).toBeUndefined()
  })

  it('is told to those who want it, and a part of a resource to those who want the whole', () => {
    const interests = createInterests()
    interests.set('a', [want([], ['file:///dir', 'x:1'])])
    interests.set('b', [want(['tools'], ['file:///dir/'])])
    const hearers = (uri: string) => interests.hearers(SERVER, { kind: 'resource', uri })
    expect(hearers('file:///dir/file')).toEqual(['a', 'b'])
    expect(hearers('file:///dir')).toEqual(['a'])
    expect(hearers('file:///directory')).toEqual([])
    expect(hearers('x:11')).toEqual([])
    expect(interests.hearers(SERVER, { kind: 'list', list: 'prompts' })).toEqual([])
  })

  it('tells nobody by a part of it what others subscribed to, or by its scheme alone', () => {
    const interests = createInterests()
    interests.set('a', [want([], ['x://', 'x:', '', 'x://all/', 'x://all'])])
    interests.set('b', [want([], ['x://all/mine'])])
    const hearers = (uri: string) => interests.hearers(SERVER, { kind: 'resource', uri })
    expect(hearers('x://all/mine')).toEqual(['b'])
    expect(hearers('x://all/other')).toEqual(['a'])
    expect(hearers('x://other')).toEqual([])
  })

  it('is no more than a stream may want', () => {
    const interests = createInterests()
    const servers = Array.from({ length: 3 }, () => ServerId.parse(crypto.randomUUID()))
    const uris = Array.from({ length: 200 }, (_, at) => `x:${at}`)
    interests.set(
      'a',
      servers.map((server) => want([], ['x'.repeat(2_049), ...uris], server)),
    )
    const kept = interests.of('a').map((one) => one.uris.length)
    expect(kept).toEqual([200, 200, MAX_URIS_OF_STREAM - 400])
    const ids = Array.from({ length: MAX_SERVERS_OF_STREAM + 1 }, () => crypto.randomUUID())
    interests.set(
      'b',
      ids.map((id) => want(['tools'], [], ServerId.parse(id))),
    )
    expect(interests.of('b')).toHaveLength(MAX_SERVERS_OF_STREAM)
  })
})

describe('the share of one owner in what is wanted of a server', () => {
  const uris = (prefix: string, length: number) =>
    Array.from({ length }, (_, at) => `${prefix}:${at}`)

  it('is a quarter, however many streams he opens; the others have theirs', () => {
    const interests = createInterests()
    interests.set('a1', [want(['tools'], uris('x', 200))], 'ann')
    interests.set('a2', [want([], uris('y', 200))], 'ann')
    interests.set('a3', [want(['tools'], uris('z', 200))], 'ann')
    const kept = ['a1', 'a2', 'a3'].map((one) => interests.of(one)[0]?.uris.length)
    expect(kept).toEqual([200, MAX_OF_OWNER - 200, 0])
    interests.set('b1', [want([], uris('b', 200))], 'ben')
    expect(interests.of('b1')[0]?.uris).toHaveLength(200)
    expect(union(interests).uris).toHaveLength(MAX_OF_OWNER + 200)
  })

  it('counts once what several of his streams want, and what he has given back not at all', () => {
    const interests = createInterests()
    interests.set('a1', [want([], uris('x', 250))], 'ann')
    interests.set('a2', [want([], [...uris('x', 250), 'y:1'])], 'ann')
    expect(interests.of('a2')[0]?.uris).toEqual(uris('x', 250))
    interests.set('a1', [])
    interests.set('a2', [want([], ['y:1'])], 'ann')
    interests.set('a3', [want([], uris('z', 300))], 'ann')
    expect(interests.of('a3')[0]?.uris).toHaveLength(MAX_OF_OWNER - 1)
  })
})

describe('tasks that are wanted', () => {
  const tasks = (ids: string[], server = SERVER): ServerWant => ({
    ...want([], [], server),
    tasks: ids,
  })
  const task = (id: string) => ({ kind: 'task', id, params: '{}' }) as const

  it('are told to who wants them, for as long as somebody does', () => {
    const interests = createInterests()
    interests.set('a', [tasks(['1', '2', '1'])])
    interests.set('b', [tasks(['2'])])
    interests.set('c', [want(['tools'], ['1'])])
    expect(interests.union(SERVER)).toMatchObject({ lists: ['tools'], tasks: ['1', '2'] })
    expect(interests.hearers(SERVER, task('1'))).toEqual(['a'])
    expect(interests.hearers(SERVER, task('2'))).toEqual(['a', 'b'])
    expect(interests.hearers(SERVER, task('3'))).toEqual([])
    interests.set('a', [])
    expect(interests.union(SERVER)?.tasks).toEqual(['2'])
    interests.set('b', [])
    expect(interests.union(SERVER)).not.toHaveProperty('tasks')
  })

  it('are bounded for each stream', () => {
    const interests = createInterests()
    const other = ServerId.parse('00000000-0000-4000-8000-000000000002')
    const many = Array.from({ length: MAX_TASKS_OF_STREAM }, (_, index) => `${index}`)
    interests.set('a', [tasks(['x']), tasks(many, other)])
    const kept = interests.of('a').flatMap(({ tasks: ids = [] }) => ids)
    expect(kept).toHaveLength(MAX_TASKS_OF_STREAM)
    expect(kept).not.toContain(many.at(-1))
  })
})
