import { randomUUID } from 'node:crypto'
import { createApi } from '../../cli/api.ts'
import { GATEWAY_VARIABLE, GatewayAccess } from '../suite.ts'
import { connect, type Target } from './connect.ts'
import { DRIVERS } from './drivers.ts'

/**
 * The client under test: the suite gives the URL of a server of its own as the last argument and
 * the scenario's name in a variable. Behind the gateway, the server is registered there first, so
 * that what it gets is what the gateway sends.
 */
const scenario = process.env['MCP_CONFORMANCE_SCENARIO'] ?? ''
const driver = DRIVERS[scenario]
const url = process.argv.at(-1)
if (!driver || !url) throw new Error(`no driver for the scenario "${scenario}"`)

const target = await targetOf(url)
const client = await connect(target, driver)
await driver.drive(client)
await client.close()

async function targetOf(serverUrl: string): Promise<Target> {
  const revision = process.env['MCP_CONFORMANCE_PROTOCOL_VERSION'] ?? ''
  const text = process.env[GATEWAY_VARIABLE]
  if (text === undefined) return { url: serverUrl, revision }
  const { origin, adminToken, userToken } = GatewayAccess.parse(JSON.parse(text))
  const path = `mock-${randomUUID().slice(0, 8)}`
  const api = createApi({ url: origin, token: adminToken })
  await api.request('POST', '/api/v1/servers', {
    path,
    name: scenario,
    endpoints: [{ url: serverUrl }],
  })
  return { url: `${origin}/${path}/mcp`, revision, token: userToken }
}
