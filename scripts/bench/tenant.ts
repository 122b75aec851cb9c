import { type Api, createApi } from '../cli/api.ts'
import { OPEN_POLICY, type OwnGateway } from '../workerd/own-gateway.ts'

/** A tenant of the measured gateway with the open policy. */
export interface BenchTenant {
  readonly api: Api
  /** Of one who may call everything. */
  readonly userToken: string
}

/** Makes it: its administrator is the bootstrap administrator, of every tenant the same subject. */
export async function createTenant(gateway: OwnGateway, tenant: string): Promise<BenchTenant> {
  const admin = { subject: 'admin', group: 'gatehouse-admins', tenant }
  const api = createApi({ url: gateway.origin, token: await gateway.tokenFor(admin) })
  await api.request('PUT', '/api/v1/policy', OPEN_POLICY)
  const user = { subject: 'user', group: 'mcp-registry-user', tenant }
  return { api, userToken: await gateway.tokenFor(user) }
}
