import { fnv1a, type Principal } from '../core/index.ts'
import { WINDOW_MS } from './lease.ts'
import { type LimitTarget, partitionOf } from './rule-set.ts'
import { type LimitDimension, type LimitRule, windowOf } from './rules.ts'
import { type Window, type WindowState, windowSeconds } from './window.ts'

/** Object storage takes keys of 2,048 bytes; a member stands behind the counter's. */
const MAX_KEY_BYTES = 900

/** One limit for one combination of what it is counted by. All of an isolate's accounts of it share it. */
export interface Counter {
  /** As the object knows it: JSON of what `readCounterKey` gives. */
  readonly key: string
  readonly limit: number
  readonly window: Window
  /** Several principals spend of it. */
  readonly isShared: boolean
  readonly scope: 'tenant' | 'principal' | 'rule'
  /** Its rule names servers or counts each by itself. */
  readonly isOfServer: boolean
  /** What callers are told: the rule's name, or the scope. */
  readonly name: string
  /** Member of `RateLimit-Policy`; constant. */
  readonly policy: string
  /** This isolate's own window, for when there is no object to ask. */
  alone: WindowState | undefined
}

/** What a counter's key says. */
export interface CounterName {
  /** Id of the rule, or the scope of a limit of the deployment. */
  readonly rule: string
  readonly partition: Partial<Record<LimitDimension, string>>
}

/** The deployment's limit of a principal. */
export function principalCounter(principal: Principal, limit: number): Counter {
  const name = { rule: 'principal', partition: { principal: principal.key } }
  return counterOf(name, { scope: 'principal', name: 'principal', limit, window: WINDOW_MS }, false)
}

/** The deployment's limit of a tenant, which its principals share. */
export function tenantCounter(limit: number): Counter {
  const name = { rule: 'tenant', partition: {} }
  return counterOf(name, { scope: 'tenant', name: 'tenant', limit, window: WINDOW_MS }, true)
}

/** The rule's counter for a call. A calendar's is first come, first served: fair is who comes again. */
export function ruleCounter(rule: LimitRule, principal: Principal, target?: LimitTarget): Counter {
  const window = windowOf(rule)
  const name = { rule: rule.id, partition: partitionOf(rule, principal, target) }
  const isShared = typeof window === 'number' && !rule.per.includes('principal')
  const part = { scope: 'rule', name: rule.name, limit: rule.limit, window } as const
  const isOfServer = rule.match.servers !== undefined || rule.per.includes('server')
  return counterOf(name, part, isShared, isOfServer)
}

function counterOf(
  named: CounterName,
  part: Pick<Counter, 'scope' | 'name' | 'limit' | 'window'>,
  isShared: boolean,
  isOfServer = false,
): Counter {
  const policy = `"${part.name}";q=${part.limit};w=${windowSeconds(part.window)};gatehouse-approx`
  const key = keyOf(named, part.window)
  return { ...part, key, isShared, isOfServer, policy, alone: undefined }
}

/** The window is in it: of another length it is another counter. */
function keyOf({ rule, partition }: CounterName, window: Window): string {
  const key = JSON.stringify([rule, window, partition])
  if (bytesOf(key) <= MAX_KEY_BYTES) return key
  const cut = Object.entries(partition).map(([name, value]) => [name, shortened(value)])
  return JSON.stringify([rule, window, Object.fromEntries(cut)])
}

/** As long as the five of them may be, with a mark of the rest. */
function shortened(value: string): string {
  const bytes = bytesOf(value)
  if (bytes <= 128) return value
  // A character takes three bytes at most, six where it is half of one and is written as an escape.
  const kept = bytes === value.length ? 112 : 37
  return `${value.slice(0, kept)}~${fnv1a(value).toString(16)}`
}

const encoder = new TextEncoder()

function bytesOf(text: string): number {
  return encoder.encode(text).byteLength
}

/** What the key of a counter says; undefined for what is none. */
export function readCounterKey(key: string): CounterName | undefined {
  const read: unknown = JSON.parse(key)
  if (!Array.isArray(read)) return undefined
  const [rule, , partition] = read
  return typeof rule === 'string' ? { rule, partition } : undefined
}
