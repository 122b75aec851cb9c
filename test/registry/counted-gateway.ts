import { env } from 'cloudflare:workers'
import { createGateway } from './gateway.ts'

/** A gateway of the tenant; its round trips to D1 are counted in `work`. */
export function countedGateway(tenant: string) {
  const { d1, work } = counting(env.DB)
  const gateway = createGateway(tenant, { d1 })
  const snapshotOf = () => gateway.registry.snapshots.tenant(gateway.ctx, gateway.tenant)
  return { gateway, d1, work, snapshotOf }
}

/** A D1, counting round trips: each is one `batch`, or one statement run by itself. */
function counting(d1: D1Database) {
  const work = { trips: 0 }
  const counted = (statement: D1PreparedStatement): D1PreparedStatement =>
    new Proxy(statement, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name)
        if (typeof member !== 'function') return member
        return (...input: unknown[]) => {
          if (name === 'bind') return counted(member.apply(target, input))
          work.trips += 1
          return member.apply(target, input)
        }
      },
    })
  const bare = new WeakMap<D1PreparedStatement, D1PreparedStatement>()
  const prepare = (sql: string): D1PreparedStatement => {
    const statement = d1.prepare(sql)
    const bind = statement.bind.bind(statement)
    statement.bind = (...values: unknown[]) => {
      const bound = bind(...values)
      const proxy = counted(bound)
      bare.set(proxy, bound)
      return proxy
    }
    return statement
  }
  const batch = (statements: D1PreparedStatement[]) => {
    work.trips += 1
    return d1.batch(statements.map((statement) => bare.get(statement) ?? statement))
  }
  const proxy = new Proxy(d1, {
    get(target, name) {
      if (name === 'prepare') return prepare
      if (name === 'batch') return batch
      const member: unknown = Reflect.get(target, name)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
  return { d1: proxy, work }
}
