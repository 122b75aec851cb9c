import { CLIENT_INFO_META_KEY } from '@modelcontextprotocol/server'
import {
  type Cell,
  call,
  clientCalls,
  namesAt,
  ofMethod,
  resultOf,
  textIn,
  upstreamCalls,
} from '../cell.ts'
import { CLIENT_INFO } from '../clients/client.ts'
import { SERVERS } from '../servers.ts'
import { VENDOR } from '../upstreams/tools.ts'
import { CAPABILITIES, INSTRUCTIONS, type Upstream } from '../upstreams/upstream.ts'
import { holds, only, same } from '../wire/expect.ts'
import { dig, digObject } from '../wire/json.ts'

const ARGS = { text: 'Grüße, "Welt"\n', number: 1.5, none: null, deep: { empty: {}, list: [] } }
const META = {
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  'example.com/asked': { by: ['the', 'client'] },
}

/** A call reaches the server as it was meant, and its result the client as it was given. */
export async function plainCall(cell: Cell): Promise<void> {
  const result = await call(cell, 'echo', ARGS, { meta: META })
  const echoed = digObject({ echoed: textIn(result) }, 'echoed')
  same('the arguments that the tool saw', echoed['args'], ARGS)

  const asked = only('calls at the client', clientCalls(cell))
  const served = only('calls at the upstream', upstreamCalls(cell))
  same('the name at the upstream', dig(served.sent, 'params', 'name'), 'echo')
  for (const [key, value] of Object.entries(META)) {
    same(`_meta ${key} at the upstream`, dig(served.sent, 'params', '_meta', key), value)
  }
  holds('the id at the upstream is the client’s', served.sent?.['id'] !== asked.sent?.['id'])
  if (cell.upstreamEra === 'modern') {
    const info = dig(served.sent, 'params', '_meta', CLIENT_INFO_META_KEY)
    same('the whole client info at the upstream', info, CLIENT_INFO)
  }
  const raw = resultOf(asked)
  same('the vendor member of the result', raw['example.com/vendor'], VENDOR)
  same(
    'the vendor meta data of the result',
    dig(raw, '_meta', 'example.com/kept'),
    dig(VENDOR, 'example.com/kept'),
  )
  same('the content at the client', raw['content'], resultOf(served)['content'])
  same('runs of the tool', cell.upstream.stage.ends(cell.nonce), 1)

  checkHello(cell)
  await checkLegacyCourtesies(cell)
  for (const other of cell.others) await callOther(cell, other)
}

/** On an endpoint of one server, what the client learns at first is what the server says of itself. */
function checkHello({ client, place, upstreamEra }: Cell): void {
  if (place !== 'single') return
  same('the name of the server', client.server.info['name'], `matrix-${upstreamEra}`)
  same('the instructions', client.server.instructions, INSTRUCTIONS)
  same('the capabilities of the server', client.server.capabilities, CAPABILITIES)
}

/** What only the legacy era has: it ends at the gateway where the upstream would not know it. */
async function checkLegacyCourtesies(cell: Cell): Promise<void> {
  const { client, upstreamEra, place } = cell
  if (!client.ping || !client.tellRootsChanged) return
  await client.ping()
  await client.tellRootsChanged()
  if (place === 'mixed') return
  const expected = upstreamEra === 'legacy' ? 1 : 0
  for (const method of ['ping', 'notifications/roots/list_changed']) {
    same(`${method} at the upstream`, ofMethod(cell.atUpstream(), method).length, expected)
  }
}

/** The same client calls the server of the other era that stands behind the same endpoint. */
async function callOther({ client, nonce, place }: Cell, { era, stage }: Upstream): Promise<void> {
  const name = namesAt(place, SERVERS[era]).toolName('echo')
  const result = await client.call(name, { nonce, era })
  same('what the other server said', dig(textIn(result), 'args'), { era })
  same('calls at the other server', stage.ends(nonce), 1)
}
