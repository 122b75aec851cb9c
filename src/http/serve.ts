import {
  type CallContext,
  type Clock,
  type MaybePromise,
  type Random,
  requestIdFrom,
} from '../core/index.ts'
import type { Events } from '../observability/index.ts'
import { type AllowAddress, addressRefusal } from './address-guard.ts'
import { createEventLine } from './event-line.ts'
import { allowOrigin, type GuardConfig, preflight, requireKnown } from './guards.ts'
import type { RenderProblem } from './on-error.ts'

/** What the platform gives with a request. */
export interface Platform {
  waitUntil(work: Promise<unknown>): void
}

export interface ServeDeps {
  readonly clock: Clock
  readonly random: Random
  readonly events: Events
  readonly guards: GuardConfig
  readonly renderProblem: RenderProblem
  /** Absent where addresses are not limited. */
  readonly allowAddress?: AllowAddress | undefined
}

/** Answers one request in its context; what it throws becomes a problem document. */
export type Serve = (
  request: Request,
  platform: Platform,
  handle: (call: CallContext) => MaybePromise<Response>,
) => Promise<Response>

const NO_SNIFF = 'x-content-type-options'

/**
 * When its caller leaves, the platform drops a request without a word, unless something is still to
 * be done behind its answer: then nothing that it holds (places, counts, its event line) would be let
 * go of. So each is still to be done until what is returned is called. What it waits for hears of its
 * caller (`Deadline.hear`): to listen here, and to keep a request only then, costs four times as much.
 */
function outliveCaller(platform: Platform): () => void {
  const { promise, resolve } = Promise.withResolvers<void>()
  platform.waitUntil(promise)
  return resolve
}

/**
 * What is true of every request, whoever routes it: an id, the guards, one event line, and an
 * answer that says no more than it should.
 */
export function createServe(deps: ServeDeps): Serve {
  const { random, guards, renderProblem, allowAddress } = deps
  return async (request, platform, handle) => {
    const { headers, method } = request
    const isAllowed = allowAddress?.(headers)
    if (isAllowed === false || (isAllowed instanceof Promise && !(await isAllowed))) {
      return addressRefusal()
    }
    const requestId = requestIdFrom(headers.get('x-request-id'), () => random.uuid())
    const { call, answered } = createEventLine(deps, {
      requestId,
      httpMethod: method,
      caller: request,
      isRoot: true,
      waitUntil: (work) => platform.waitUntil(work),
    })
    const origin = headers.get('origin')
    let isKnown = false
    let handled: (() => void) | undefined
    let response: Response
    try {
      requireKnown(guards, request, origin)
      isKnown = true
      const handling = method === 'OPTIONS' ? preflight(headers, origin) : handle(call)
      if (handling instanceof Promise) handled = outliveCaller(platform)
      response = await handling
    } catch (thrown) {
      response = renderProblem(call, thrown)
    } finally {
      handled?.()
    }
    if (isKnown && origin !== null) allowOrigin(response.headers, origin)
    const { headers: own } = response
    own.set('x-request-id', requestId)
    const { policy, state } = call.rateLimit ?? {}
    if (policy !== undefined && state !== undefined) {
      own.set('ratelimit-policy', policy)
      own.set('ratelimit', state)
    }
    if (!own.has(NO_SNIFF)) own.set(NO_SNIFF, 'nosniff')
    answered(response.status)
    return response
  }
}
