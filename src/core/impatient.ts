/** What we depend on may hang as well as fail: here it is made to fail. */

/**
 * What the work comes to, or a rejection after `ms`. The work itself is not stopped: nothing on the
 * platform could, and what it comes to later is nobody's.
 */
export async function within<T>(ms: number, what: string, work: PromiseLike<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not answer within ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

/**
 * An object's stub whose calls reject after `ms`, as they do when the object cannot be reached.
 * `patient` names the calls that wait for somebody else and have a deadline of their own.
 */
export function impatientStub<T extends object>(
  stub: T,
  ms: number,
  patient: readonly (keyof T & string)[] = [],
): T {
  return new Proxy(stub, {
    get(target, member) {
      const value: unknown = Reflect.get(target, member)
      if (typeof value !== 'function') return value
      const isPatient = (patient as readonly unknown[]).includes(member)
      return (...args: unknown[]) => {
        const answer: unknown = Reflect.apply(value, target, args)
        const work = answer as PromiseLike<unknown>
        return isPatient ? answer : within(ms, `the object's ${String(member)}`, work)
      }
    },
  })
}

/** How long D1 is waited for: what is read can be read again, what is written may take. */
export interface D1Patience {
  readonly readMs: number
  readonly writeMs: number
}

const READS = /^\s*select\b/i

/**
 * A D1 whose queries reject when they take too long, as they do when it cannot be reached. A write
 * that was given up may have been made.
 */
export function impatientD1(d1: D1Database, { readMs, writeMs }: D1Patience): D1Database {
  const inner = new WeakMap<object, { statement: D1PreparedStatement; isRead: boolean }>()

  function wrap(statement: D1PreparedStatement, isRead: boolean): D1PreparedStatement {
    const timed = <T>(work: Promise<T>) => within(isRead ? readMs : writeMs, 'D1', work)
    const wrapped = {
      bind: (...values: unknown[]) => wrap(statement.bind(...values), isRead),
      first: (...column: [] | [string]) =>
        timed(column.length === 0 ? statement.first() : statement.first(column[0])),
      run: () => timed(statement.run()),
      all: () => timed(statement.all()),
      raw: (options?: { columnNames?: false }) => timed(statement.raw(options)),
    } as D1PreparedStatement
    inner.set(wrapped, { statement, isRead })
    return wrapped
  }

  return new Proxy(d1, {
    get(target, member) {
      if (member === 'prepare') {
        return (sql: string) => wrap(target.prepare(sql), READS.test(sql))
      }
      if (member === 'batch') {
        return (statements: readonly D1PreparedStatement[]) => {
          const known = statements.map((each) => inner.get(each))
          const isRead = known.every((each) => each?.isRead)
          const own = statements.map((each, index) => known[index]?.statement ?? each)
          return within(isRead ? readMs : writeMs, 'D1', target.batch(own))
        }
      }
      const value: unknown = Reflect.get(target, member)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
