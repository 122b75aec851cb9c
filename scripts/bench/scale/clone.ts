import type { WorkerdHandle } from '../../workerd.ts'

/** What is copied: the server of one path in one tenant, with all that hangs on it. */
export interface CloneOrder {
  readonly tenant: string
  readonly path: string
  /** A tenant that may not exist yet; it gets the rows of the first one's policy. */
  readonly toTenant: string
  /** Copies are called `<path>-1` to `<path>-<count>`. */
  readonly count: number
  /** Part of the new ids; differs from order to order. */
  readonly serial: number
}

/** How a column of a copy differs from the original; others are copied. `n.i` counts from 1. */
type Changes = Readonly<Record<string, string>>

/**
 * Registers copies of a server by SQL, ten thousand in a second: each by REST would be asked what it
 * offers. Whatever columns a migration adds are copied as well.
 */
export async function cloneServers(worker: WorkerdHandle, order: CloneOrder): Promise<void> {
  const serial = order.serial.toString(16).padStart(8, '0')
  const serverId = `printf('${serial}-0000-4000-8000-%012x', n.i)`
  const path = `'${order.path}-' || n.i`
  const of = `(SELECT id FROM servers WHERE tenant = '${order.tenant}' AND path = '${order.path}')`
  const tenant = `'${order.toTenant}'`
  const copy = (table: string, where: string, changes: Changes) =>
    copyRows(worker, table, `${where} = ${of}`, changes, order.count)
  await copy('servers', 'r.id', { id: serverId, tenant, path, name: path, search_text: path })
  await copy('endpoints', 'r.server_id', {
    id: `printf('${serial}-0000-4000-9000-%012x', n.i)`,
    server_id: serverId,
    tenant,
  })
  await copy('catalog_items', 'r.server_id', { server_id: serverId, tenant })
  await copy('taken_paths', 'r.server_id', { server_id: serverId, tenant, path })
}

/** Gives new tenants `<prefix>-1` to `<prefix>-<count>` the policy, and one copy of the server each. */
export async function cloneTenants(
  worker: WorkerdHandle,
  from: { readonly tenant: string; readonly path: string },
  prefix: string,
  count: number,
): Promise<void> {
  const tenant = `'${prefix}-' || n.i`
  const own = `r.tenant = '${from.tenant}'`
  await copyRows(worker, 'tenants', `r.id = '${from.tenant}'`, { id: tenant }, count)
  for (const table of ['access_scopes', 'group_mappings', 'user_groups']) {
    await copyRows(worker, table, own, { tenant }, count)
  }
  const serverId = `printf('00000000-0000-4000-a000-%012x', n.i)`
  const of = `(SELECT id FROM servers WHERE tenant = '${from.tenant}' AND path = '${from.path}')`
  await copyRows(worker, 'servers', `r.id = ${of}`, { id: serverId, tenant }, count)
  const hangs = { server_id: serverId, tenant }
  const endpointId = `printf('00000000-0000-4000-b000-%012x', n.i)`
  await copyRows(worker, 'endpoints', `r.server_id = ${of}`, { ...hangs, id: endpointId }, count)
  await copyRows(worker, 'catalog_items', `r.server_id = ${of}`, hangs, count)
  await copyRows(worker, 'taken_paths', `r.server_id = ${of}`, hangs, count)
}

async function copyRows(
  worker: WorkerdHandle,
  table: string,
  where: string,
  changes: Changes,
  count: number,
): Promise<void> {
  const columns = (await worker.sql(`PRAGMA table_info(${table})`)).map(({ name }) => String(name))
  const values = columns.map((column) => changes[column] ?? `r.${column}`)
  await worker.sql(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
     INSERT INTO ${table} (${columns.join(', ')})
     SELECT ${values.join(', ')} FROM ${table} r, n WHERE ${where}`,
  )
}
