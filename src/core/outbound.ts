import { type PrivateHosts, upstreamUrlProblem } from './address.ts'
import { setBounded } from './bounded.ts'
import { createDeadline } from './create-deadline.ts'
import type { Deadline } from './deadline.ts'
import { GatewayError } from './errors.ts'
import { readBounded } from './read-text.ts'

/** Opens a connection to a server. The platform's `fetch`, or a test's. */
export type Fetcher = (request: Request) => Promise<Response>

/** What may be asked of the network. Redirects are never followed. */
export interface OutboundRequest {
  readonly url: string
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly headers: Headers
  readonly body?: string | undefined
  /** Until response headers; the body is the caller's to bound. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  /** The deadline begins anew with the response, for a body that is read whole. */
  readonly keepsDeadline?: true | undefined
  /** One that is running, instead of another timer. */
  readonly deadline?: Deadline | undefined
  /**
   * The request that it is sent for ends with it, under a `deadline` that hears of its caller: when
   * its time is up, or nobody waits any more, that is said at once, and the platform closes its connection
   * with the request and what that still does behind its answer. A signal would cost a call more than
   * anything else of it but `fetch`.
   */
  readonly isLast?: true | undefined
  /** Called once it is under way, long before an answer comes where that is a stream. */
  readonly onSent?: (() => void) | undefined
}

/** Why no response came. Whether the other side acted on the request cannot be known. */
export const OUTBOUND_FAULTS = [
  'refused_address',
  'redirect',
  'timeout',
  'cancelled',
  'network',
  /** Not sent: the gateway has as much open to the other side as it may have. */
  'no_room',
] as const
export type OutboundFault = (typeof OUTBOUND_FAULTS)[number]

export type OutboundResult =
  | {
      readonly kind: 'response'
      readonly response: Response
      /** Where it was to be kept: whoever has the response ends it. */
      readonly bodyDeadline?: Deadline
    }
  | { readonly kind: 'fault'; readonly fault: OutboundFault; readonly message: string }

/** The only way out of the gateway. Guards the address on every request, not only at registration. */
export interface Outbound {
  send(request: OutboundRequest): Promise<OutboundResult>
  /** A JSON document of at most `maxBytes`; throws `upstream_failed` for anything else. */
  getJson(url: string, options: { timeoutMs: number; maxBytes: number }): Promise<unknown>
}

/** An invocation may have six fetches waiting for headers; more would queue (Workers limits). */
const MAX_WAITING = 6
/** URLs whose check is remembered. */
const MAX_CHECKED = 5_000

/** What an operator allows, and how a connection is opened. */
export interface OutboundOptions {
  readonly privateHosts: PrivateHosts
  readonly fetcher?: Fetcher
  /** What names lead to; absent where no resolver is configured. */
  readonly hosts?: {
    problemOf(url: string): string | undefined | Promise<string | undefined>
  }
}

/** @see OutboundOptions */
export function createOutbound(options: OutboundOptions): Outbound {
  const open = opener(options.fetcher)
  /** What the address check said: it depends on URL and configuration alone. */
  const checked = new Map<string, string | undefined>()

  function problemOf(url: string): string | undefined {
    if (checked.has(url)) return checked.get(url)
    const problem = upstreamUrlProblem(url, options.privateHosts)
    setBounded(checked, url, problem, MAX_CHECKED)
    return problem
  }

  async function send(request: OutboundRequest): Promise<OutboundResult> {
    const led = problemOf(request.url) ?? options.hosts?.problemOf(request.url)
    if (typeof led === 'string') {
      request.deadline?.end()
      return refused(led)
    }
    const { timeoutMs, keepsDeadline, isLast } = request
    const hasLeft = (): boolean => request.signal?.aborted === true || deadline.hasLeft()
    const deadline = request.deadline ?? createDeadline(timeoutMs, request, isLast)
    if (request.deadline) deadline.restart(timeoutMs)
    if (isLast) deadline.hear()
    let goesOn = false
    let isAsking = led !== undefined
    try {
      if (led) {
        const problem = await untilAborted(led, deadline.signal())
        if (problem !== undefined) return refused(problem)
        isAsking = false
      }
      const opening = open(request, isLast ? undefined : deadline.signal())
      request.onSent?.()
      const response = await (isLast ? deadline.within(opening) : opening)
      if (response === undefined) {
        // One that comes now is let go of, should the request still live by then.
        opening.then((late) => late.body?.cancel()).catch(() => undefined)
        return hasLeft() ? gone() : timeout(timeoutMs)
      }
      if (response.status >= 300 && response.status < 400 && response.status !== 304) {
        await response.body?.cancel()
        return fault('redirect', 'The server answered with a redirect, which is never followed.')
      }
      goesOn = true
      if (!keepsDeadline) {
        deadline.end()
        return { kind: 'response', response }
      }
      deadline.restart(timeoutMs)
      return { kind: 'response', response, bodyDeadline: deadline }
    } catch (cause) {
      if (hasLeft()) return gone()
      // Its server was not asked, and is not to blame.
      if (isAsking) return refused('has a name that could not be resolved in time')
      if (deadline.isPassed()) return timeout(timeoutMs)
      return fault('network', networkMessage(cause))
    } finally {
      if (!goesOn) deadline.release()
    }
  }

  return {
    send,
    async getJson(url, { timeoutMs, maxBytes }) {
      const headers = new Headers({ accept: 'application/json' })
      // One deadline for headers and body: a trickling body must not hold a key refresh.
      const signal = AbortSignal.timeout(timeoutMs)
      const result = await send({ url, method: 'GET', headers, timeoutMs, signal })
      if (result.kind === 'fault') throw new GatewayError('upstream_failed', result.message)
      const { response } = result
      if (!response.ok) {
        await response.body?.cancel()
        throw new GatewayError('upstream_failed', `The server answered ${response.status}.`)
      }
      return parseJson(await readAnswer(response.body, maxBytes))
    },
  }
}

/** What the work came to; rejects when nobody waits for it any more. */
function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = (): void => reject(signal.reason)
    const stopListening = (): void => signal.removeEventListener('abort', leave)
    if (signal.aborted) leave()
    signal.addEventListener('abort', leave, { once: true })
    work.then(resolve, reject).finally(stopListening)
  })
}

/** A test's fetcher is given a `Request`; the platform's does without one, which costs less. */
function opener(fetcher: Fetcher | undefined) {
  return ({ url, method, headers, body }: OutboundRequest, signal: AbortSignal | undefined) => {
    const init: RequestInit = {
      method,
      headers,
      body: body ?? null,
      signal: signal ?? null,
      redirect: 'manual',
    }
    return fetcher ? fetcher(new Request(url, init)) : fetch(url, init)
  }
}

/** What is wrong with an answer is the server's fault, never the caller's. */
async function readAnswer(
  body: ReadableStream<Uint8Array> | null,
  maxBytes: number,
): Promise<string> {
  try {
    return await readBounded(body, maxBytes)
  } catch (cause) {
    throw new GatewayError('upstream_failed', 'The answer is too large or no text.', { cause })
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new GatewayError('upstream_failed', 'The server answered with malformed JSON.', { cause })
  }
}

function refused(problem: string): OutboundResult {
  return fault('refused_address', `The address ${problem}.`)
}

function gone(): OutboundResult {
  return fault('cancelled', 'The caller went away.')
}

function timeout(ms: number): OutboundResult {
  return fault('timeout', `No response within ${ms} ms.`)
}

function fault(kind: OutboundFault, message: string): OutboundResult {
  return { kind: 'fault', fault: kind, message }
}

function networkMessage(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : ''
  return /refused|lost|reset|closed|disconnect/i.test(text)
    ? 'The connection failed or was closed before a response came.'
    : 'The server could not be reached.'
}

/** Counts fetches waiting for headers; used by tests to prove the bound is kept. */
export function countWaiting(fetcher: Fetcher): Fetcher & { readonly most: () => number } {
  let waiting = 0
  let most = 0
  const counted = async (request: Request): Promise<Response> => {
    waiting += 1
    most = Math.max(most, waiting)
    if (waiting > MAX_WAITING) throw new Error(`${waiting} fetches wait for headers at once`)
    try {
      return await fetcher(request)
    } finally {
      waiting -= 1
    }
  }
  return Object.assign(counted, { most: () => most })
}
