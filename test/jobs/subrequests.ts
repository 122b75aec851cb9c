import { env } from 'cloudflare:workers'
import { systemClock, systemRandom } from '../../src/core/index.ts'
import { createDeps } from '../../src/deps.ts'
import { type Bindings, parseConfig } from '../../src/env.ts'

/** Subrequests of one invocation. */
export interface Subrequests {
  fetches: number
  d1: number
  objects: number
}

export const totalOf = ({ fetches, d1, objects }: Subrequests): number => fetches + d1 + objects

/**
 * The gateway's wiring over the real D1 and objects, as one isolate has it: everything that it asks
 * of the platform is counted, anew after each `begin`.
 */
export function countedDeps(options: {
  readonly fetcher: (request: Request) => Response | Promise<Response>
  readonly onEvent: (event: Record<string, unknown>) => void
}) {
  const counter: { used: Subrequests } = { used: { fetches: 0, d1: 0, objects: 0 } }
  const config = parseConfig({
    PUBLIC_URL: 'https://gateway.example',
    GATEHOUSE_SECRET: 'jobs-jobs-jobs-jobs-jobs-jobs-jobs-jobs-jobs',
  })
  if (config.kind === 'problems') throw new Error(JSON.stringify(config.problems))
  const deps = createDeps(countedBindings(counter), config.config, {
    clock: systemClock,
    random: systemRandom,
    fetcher: async (request) => {
      counter.used.fetches += 1
      return options.fetcher(request)
    },
    writeLine: (line) => options.onEvent(JSON.parse(line)),
  })
  return {
    deps,
    /** For the next invocation. */
    begin(): Subrequests {
      counter.used = { fetches: 0, d1: 0, objects: 0 }
      return counter.used
    },
  }
}

/** D1 is asked by a batch, or by a prepared statement that runs; both are one call each. */
const D1_CALLS = new Set<PropertyKey>(['batch', 'exec', 'all', 'raw', 'run', 'first'])

function countedBindings(counter: { used: Subrequests }): Bindings {
  const objects = <T extends object>(namespace: { getByName(name: string): T }) => ({
    getByName: (name: string) =>
      spied(namespace.getByName(name), () => {
        counter.used.objects += 1
      }),
  })
  const noteD1 = (member: PropertyKey): void => {
    if (D1_CALLS.has(member)) counter.used.d1 += 1
  }
  const statement = (target: D1PreparedStatement): D1PreparedStatement =>
    spied(target, noteD1, (member, result) =>
      member === 'bind' ? statement(result as D1PreparedStatement) : result,
    )
  const db = spied(
    env.DB,
    noteD1,
    (member, result) => (member === 'prepare' ? statement(result as D1PreparedStatement) : result),
    ORIGINAL,
  )
  return {
    DB: db,
    SESSIONS: objects(env.SESSIONS),
    LIMITERS: objects(env.LIMITERS),
    BREAKERS: objects(env.BREAKERS),
    PROBES: objects(env.PROBES),
  } as unknown as Bindings
}

/** A batch must be given the platform's own statements. */
const ORIGINAL = Symbol('original')

/** The same object, with every call noticed and its result replaced. */
function spied<T extends object>(
  target: T,
  onCall: (member: PropertyKey) => void,
  result: (member: PropertyKey, value: unknown) => unknown = (_member, value) => value,
  unwrap?: symbol,
): T {
  return new Proxy(target, {
    get(self, member) {
      if (member === ORIGINAL) return self
      const value = Reflect.get(self, member)
      if (typeof value !== 'function') return value
      return (...args: unknown[]) => {
        onCall(member)
        const given = unwrap ? args.map(unwrapped) : args
        return result(member, Reflect.apply(value, self, given))
      }
    },
  })
}

function unwrapped(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unwrapped)
  const isObject = typeof value === 'object' && value !== null
  return isObject ? (Reflect.get(value, ORIGINAL) ?? value) : value
}
