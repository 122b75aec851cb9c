import { getEventListeners } from 'node:events'
import { beforeEach, expect, it } from 'vitest'
import { systemClock, systemRandom } from '../../src/core/index.ts'
import { createRenderProblem, createServe } from '../../src/http/index.ts'

const events = { emit: () => undefined }
const serve = createServe({
  ...{ clock: systemClock, random: systemRandom, events },
  guards: { allowedHosts: new Set(['gate.example']), allowedOrigins: new Set() },
  renderProblem: createRenderProblem(events, (scope) => `Bearer scope="${scope}"`),
})

let gone: AbortController
let request: Request
let handling: PromiseWithResolvers<Response>
let behind: Promise<unknown>[]
let served: Promise<Response>
beforeEach(() => {
  gone = new AbortController()
  request = new Request('https://gate.example/', { signal: gone.signal })
  handling = Promise.withResolvers<Response>()
  behind = []
  const platform = { waitUntil: (work: Promise<unknown>) => void behind.push(work) }
  served = serve(request, platform, () => handling.promise)
})

const listeners = () => getEventListeners(request.signal, 'abort')

it.each(['answers', 'throws'])('a caller is listened for until his request %s', async (outcome) => {
  expect(listeners()).toHaveLength(1)
  if (outcome === 'answers') handling.resolve(new Response('ok'))
  else handling.reject(new Error('ours'))
  await served
  expect(listeners()).toHaveLength(0)
  gone.abort()
  expect(behind).toHaveLength(0)
})

it('a request is kept alive when its caller leaves before it was handled', async () => {
  gone.abort()
  expect(behind).toHaveLength(1)
  handling.resolve(new Response('ok'))
  await Promise.all([served, ...behind])
  expect(listeners()).toHaveLength(0)
})
