import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually, type Stack, startStack } from '../support/e2e.ts'
import { startModernServer } from '../support/modern-server.ts'
import {
  type RunningUpstream,
  startEverything,
  startSample,
  startSocketEverything,
} from '../support/processes.ts'
import { CLIENTS, type ClientName, clientRow } from './clients/index.ts'
import { type Cell, matrixOf, readMatrix, writeMatrix } from './compatibility.ts'
import { installInterop } from './interop.ts'
import { measure, type Outcomes, VERBS } from './measure.ts'
import {
  ENDPOINTS,
  EVERYTHING_TOOLS,
  KINDS,
  namesOf,
  type Offer,
  offerAt,
  pathOf,
} from './offers.ts'

let stack: Stack
let upstreams: readonly Pick<RunningUpstream, 'url' | 'stop'>[] = []
let user = ''

/** What the clients' user may do; the rest of each server is none of his business. */
const EVERYTHING_RIGHTS = {
  methods: [
    'tools/list',
    'tools/call',
    'resources/list',
    'resources/read',
    'prompts/list',
    'prompts/get',
    'logging/setLevel',
  ],
  tools: EVERYTHING_TOOLS,
}
const RIGHTS = {
  everything: EVERYTHING_RIGHTS,
  'everything-sse': EVERYTHING_RIGHTS,
  'everything-ws': EVERYTHING_RIGHTS,
  fininfo: { methods: ['*'], tools: ['*'] },
  modern: { methods: ['*'], tools: ['echo'] },
}
const STARTS: Readonly<
  Record<keyof typeof RIGHTS, () => Promise<Pick<RunningUpstream, 'url' | 'stop'>>>
> = {
  everything: () => startEverything(),
  'everything-sse': () => startEverything(undefined, 'sse'),
  'everything-ws': () => startSocketEverything(),
  fininfo: () => startSample('fininfo'),
  modern: () => startModernServer(),
}

beforeAll(async () => {
  await installInterop()
  const servers = namesOf(STARTS)
  ;[stack, upstreams] = await Promise.all([
    startStack({ clients: { 'interop-service': { groups: ['/testers'] } } }),
    Promise.all(servers.map((server) => STARTS[server]())),
  ])
  for (const [index, { url }] of upstreams.entries())
    await stack.register(servers[index] ?? '', url)
  const { status } = await stack.api('PUT', '/policy', {
    group_mappings: { admins: ['admin'], testers: ['interop'] },
    interop: servers.map((server) => ({ server, ...RIGHTS[server] })),
  })
  expect(status).toBe(200)
  user = await stack.idp.token('interop-service')
}, 240_000)
afterAll(() => Promise.all([stack, ...upstreams].map((part) => part.stop())))

const PAIRS = ENDPOINTS.flatMap((endpoint) =>
  namesOf(CLIENTS).map((client) => {
    const { era, door } = CLIENTS[client]
    return { client, endpoint, era, path: pathOf(endpoint, door) }
  }),
)

const measured: Cell[] = []

describe('an upstream of the matrix', () => {
  it.each(namesOf(KINDS))('%s is found to speak what its column says, alone', async (server) => {
    const { eras, transport } = KINDS[server]
    const { body } = await stack.api('GET', `/servers/${server}`)
    expect(body).toMatchObject({ transport, transportChoice: 'auto', upstream: { eras } })
  })
})

describe('a client that nobody here wrote', () => {
  // req: names-callable
  it.each(PAIRS)(
    '$client finds what is offered at $path, in the $era era',
    async ({ client, endpoint, era, path }) => {
      const offer = offerAt(endpoint, era)
      const before = stack.events().length
      const outcomes = await measure(
        clientRow(client).client,
        `${stack.gateway.url}${path}`,
        user,
        offer,
      )
      const calls = await callsSince(before, outcomes)
      const seen = calls[0]?.['era'] === 'modern' ? 'modern' : 'legacy'
      // Also of what fails: the document says so, and so does this test.
      measured.push({ client, endpoint, era: calls.length > 0 ? seen : undefined, outcomes })

      expect(outcomes).toEqual(wantedOf(client, offer))
      expect(calls).toMatchObject([{ era, status: 200, outcome: 'ok' }])
    },
  )

  it('finds docs/compatibility.md to say what was measured', async () => {
    expect(measured).toHaveLength(PAIRS.length)
    const matrix = await matrixOf(measured)
    if (process.env['UPDATE_COMPATIBILITY'] === '1') await writeMatrix(matrix)
    expect(await readMatrix(), 'UPDATE_COMPATIBILITY=1 writes it anew').toBe(matrix)
  })
})

/** The event lines of tool calls; a line may be printed after the client has its answer. */
function callsSince(before: number, { call }: Outcomes): Promise<Record<string, unknown>[]> {
  return eventually(
    async () => stack.events().slice(before).filter(isCall),
    (events) => events.length > 0 || call !== 'yes',
  )
}

function isCall({ type, method }: Record<string, unknown>): boolean {
  return type === 'request' && method === 'tools/call'
}

/** Every verb of the offer works, unless the client has no such verb. */
function wantedOf(name: ClientName, offer: Offer): Outcomes {
  const { notOffered = {} } = clientRow(name).client
  const verbs = VERBS.filter((verb) => verb === 'list' || offer[verb] !== undefined)
  return Object.fromEntries(verbs.map((verb) => [verb, verb in notOffered ? 'not offered' : 'yes']))
}
