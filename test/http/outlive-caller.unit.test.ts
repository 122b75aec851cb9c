import { beforeEach, expect, it } from 'vitest'
import { systemClock, systemRandom } from '../../src/core/index.ts'
import { createRenderProblem, createServe } from '../../src/http/index.ts'

const lines: unknown[] = []
const events = { emit: (line: unknown) => void lines.push(line) }
const serve = createServe({
  ...{ clock: systemClock, random: systemRandom, events },
  guards: { allowedHosts: new Set(['gate.example']), allowedOrigins: new Set() },
  renderProblem: createRenderProblem(events, (scope) => `Bearer scope="${scope}"`),
})

/** One whose signal nobody looks at: that costs. */
const request = new Proxy(new Request('https://gate.example/'), {
  get(target, member) {
    if (member === 'signal') throw new Error('looked at')
    return Reflect.get(target, member)
  },
})

let handling: PromiseWithResolvers<Response>
let behind: Promise<unknown>[]
let served: Promise<Response>
beforeEach(() => {
  lines.length = 0
  handling = Promise.withResolvers<Response>()
  behind = []
  const platform = { waitUntil: (work: Promise<unknown>) => void behind.push(work) }
  served = serve(request, platform, () => handling.promise)
})

it.each(['answers', 'throws'])(
  'the platform is to keep a request, whoever leaves, until it %s',
  async (outcome) => {
    expect(behind).toHaveLength(1)
    const early = await Promise.race([
      ...behind,
      new Promise((resolve) => setTimeout(resolve, 20, 'kept')),
    ])
    expect([early, lines.length]).toEqual(['kept', 0])
    if (outcome === 'answers') handling.resolve(new Response('ok'))
    else handling.reject(new Error('ours'))
    await Promise.all(behind)
    expect((await served).status).toBe(outcome === 'answers' ? 200 : 500)
    expect(lines).toContainEqual(expect.objectContaining({ type: 'request' }))
  },
)

it('what is answered at once needs no keeping', async () => {
  const kept: unknown[] = []
  const platform = { waitUntil: (work: Promise<unknown>) => void kept.push(work) }
  await serve(request, platform, () => new Response('ok'))
  expect(kept).toEqual([])
  handling.resolve(new Response('ok'))
})
