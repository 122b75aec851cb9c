import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { answerProblem, checkAnswer } from '../../../scripts/bench/check-answer.ts'
import { findNginx } from '../../../scripts/bench/nginx/process.ts'
import { modernCall, modernList, openSession } from '../../../scripts/bench/rows/messages.ts'
import type { Target } from '../../../scripts/bench/rows/row.ts'
import { TOOLS_PER_LIST } from '../../../scripts/bench/upstream/answers.ts'
import { startUpstream, type Upstream } from '../../../scripts/bench/upstream/start.ts'

const nginx = findNginx()
const SOFTWARE = [
  { name: 'a Worker', nginx: undefined },
  ...(nginx?.luaModules ? [{ name: 'nginx with Lua', nginx }] : []),
]

describe.each(SOFTWARE)('the upstream as $name', ({ nginx: installed }) => {
  let folder: string
  let upstream: Upstream
  const post = (url: string, { headers, body }: Pick<Target, 'headers' | 'body'>) =>
    fetch(url, { method: 'POST', headers, body })

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gatehouse-upstream-'))
    upstream = await startUpstream(folder, installed)
  })
  afterAll(async () => {
    await upstream.stop()
    await rm(folder, { recursive: true })
  })

  it('answers a modern call under its id, over and over on one connection', async () => {
    const target: Target = {
      ...{ name: 'direct', url: upstream.url('modern'), pids: [], answer: 'message' },
      ...modernCall('echo'),
    }
    const headers = await checkAnswer(target)
    expect(headers.get('content-type')).toBe('application/json')
    expect(Number(headers.get('content-length'))).toBeGreaterThan(700)
    await expect(checkAnswer({ ...target, expect: ['"id":"other"'] })).rejects.toThrow('without')
  })

  it('streams progress under the token of the call, and then the answer', async () => {
    const call = modernCall('progress', { progressToken: 'mine' })
    const answer = await post(upstream.url('modern'), call)
    expect(answer.headers.get('content-type')).toBe('text/event-stream')
    const text = await answer.text()
    expect(answerProblem({ ...call, answer: 'stream' }, answer.status, text)).toBeUndefined()
    expect(text.split('"progressToken":"mine"')).toHaveLength(21)
  })

  it('issues legacy sessions and refuses requests without one', async () => {
    const url = upstream.url('legacy')
    const [one, other] = [await openSession(url, {}), await openSession(url, {})]
    expect(one).not.toBe(other)
    const ping = { headers: {}, body: '{"jsonrpc":"2.0","id":1,"method":"ping"}' }
    expect((await post(url, ping)).status).toBe(400)
    const inSession = await post(url, { ...ping, headers: { 'mcp-session-id': one } })
    expect(await inSession.json()).toEqual({ jsonrpc: '2.0', id: 1, result: {} })
  })

  it('refuses the handshake of the other era', async () => {
    const body = '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}'
    const answer = await post(upstream.url('modern'), { headers: {}, body })
    expect([answer.status, await answer.json()]).toMatchObject([400, { error: { code: -32022 } }])
  })

  it('lists the tools of any number of servers, and counts what reached it', async () => {
    const before = await upstream.requests()
    for (const instance of [0, 49]) {
      const answer = await post(upstream.url('lists', instance), modernList(undefined))
      expect(await answer.json()).toMatchObject({ result: { tools: { length: TOOLS_PER_LIST } } })
    }
    expect((await upstream.requests()) - before).toBe(2)
  })
})
