import { isResolved, type PrivateHosts, resolvedProblem } from './address.ts'
import { setBounded } from './bounded.ts'
import type { Clock } from './context.ts'
import type { Resolve } from './doh.ts'

/** What the addresses behind the names of upstreams say: a name may change what it means. */
export interface HostVerdicts {
  /**
   * What is wrong with the host of a URL, as a sentence; undefined when it may be called. At once,
   * unless the host was never asked about or too long ago.
   */
  problemOf(url: string): string | undefined | Promise<string | undefined>
  /** The same, asked anew. */
  ask(url: string): Promise<string | undefined>
}

export interface HostVerdictsDeps {
  readonly resolve: Resolve
  readonly privateHosts: PrivateHosts
  readonly clock: Clock
  /** For a question that nobody waits for. */
  readonly behind: (work: Promise<unknown>) => void
}

/** A name's own time to live holds within these bounds. */
const MIN_FRESH_MS = 10_000
const MAX_FRESH_MS = 60_000
/** Older than fresh, a verdict is used and asked for again behind the call; older than this, before it. */
const MAX_STALE_MS = 5 * 60_000
/** That a name could not be resolved holds so long alone: enough for a resolver that is down. */
const UNKNOWN_MS = 1_000
const MAX_HOSTS = 5_000
const MAX_URLS = 5_000

const UNKNOWN = 'has a name that could not be resolved; try again'

interface Verdict {
  readonly problem: string | undefined
  /** Epoch ms. */
  readonly askedAt: number
  readonly freshUntil: number
}

/**
 * @see HostVerdicts. Fails closed: whose addresses cannot be found out is not called, once the last
 * verdict is five minutes old. Workers cannot pin an address (docs/decisions/0014).
 */
export function createHostVerdicts(deps: HostVerdictsDeps): HostVerdicts {
  const { resolve, privateHosts, clock, behind } = deps
  const verdicts = new Map<string, Verdict>()
  /** By URL; undefined where no name is to be resolved. */
  const hosts = new Map<string, string | undefined>()

  function hostOf(url: string): string | undefined {
    if (hosts.has(url)) return hosts.get(url)
    const host = new URL(url).hostname.replace(/\.+$/, '')
    const named = isResolved(host, privateHosts) ? host : undefined
    setBounded(hosts, url, named, MAX_URLS)
    return named
  }

  function keep(host: string, problem: string | undefined, freshMs: number): string | undefined {
    const askedAt = clock.now()
    setBounded(verdicts, host, { problem, askedAt, freshUntil: askedAt + freshMs }, MAX_HOSTS)
    return problem
  }

  async function askHost(host: string): Promise<string | undefined> {
    const found = await resolve(host)
    if (found.kind === 'addresses') {
      const ttlMs = found.ttlSeconds * 1_000
      const freshMs = Math.min(Math.max(ttlMs, MIN_FRESH_MS), MAX_FRESH_MS)
      return keep(host, resolvedProblem(found.addresses, privateHosts), freshMs)
    }
    const last = verdicts.get(host)
    return last && isUsable(last) ? last.problem : keep(host, UNKNOWN, UNKNOWN_MS)
  }

  /** What is not known is no verdict to go by while it is asked for again. */
  function isUsable({ problem, askedAt, freshUntil }: Verdict): boolean {
    const now = clock.now()
    return problem === UNKNOWN ? now < freshUntil : now - askedAt < MAX_STALE_MS
  }

  /** Nobody else asks meanwhile; if nothing comes of it, the verdict grows old all the same. */
  function askBehind(host: string, { problem, askedAt }: Verdict): void {
    const freshUntil = clock.now() + MIN_FRESH_MS
    verdicts.set(host, { problem, askedAt, freshUntil })
    behind(askHost(host))
  }

  return {
    problemOf(url) {
      const host = hostOf(url)
      if (host === undefined) return undefined
      const last = verdicts.get(host)
      if (!last || !isUsable(last)) return askHost(host)
      if (clock.now() >= last.freshUntil) askBehind(host, last)
      return last.problem
    },

    async ask(url) {
      const host = hostOf(url)
      return host === undefined ? undefined : askHost(host)
    },
  }
}
