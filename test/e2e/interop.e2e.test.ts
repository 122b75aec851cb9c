import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually, type Stack, startStack } from '../support/e2e.ts'
import { type RunningUpstream, startEverything, startSample } from '../support/processes.ts'
import type { ForeignClient } from './clients/foreign-client.ts'
import { CLIENTS, type ClientName } from './clients/index.ts'
import { type Cell, matrixOf, readMatrix, writeMatrix } from './compatibility.ts'
import { installInterop } from './interop.ts'

let stack: Stack
let everything: RunningUpstream
let fininfo: RunningUpstream
let user = ''

/** What the clients' user may do; the rest of each server is none of his business. */
const POLICY = {
  group_mappings: { admins: ['admin'], testers: ['interop'] },
  interop: [
    {
      server: 'everything',
      methods: [
        'tools/list',
        'tools/call',
        'resources/list',
        'resources/read',
        'prompts/list',
        'prompts/get',
        'logging/setLevel',
      ],
      tools: ['echo', 'get-sum'],
    },
    { server: 'fininfo', methods: ['*'], tools: ['*'] },
  ],
}

beforeAll(async () => {
  await installInterop()
  ;[stack, everything, fininfo] = await Promise.all([
    startStack({ clients: { 'interop-service': { groups: ['/testers'] } } }),
    startEverything(),
    startSample('fininfo'),
  ])
  await stack.register('everything', everything.url)
  await stack.register('fininfo', fininfo.url)
  const { status } = await stack.api('PUT', '/policy', POLICY)
  expect(status).toBe(200)
  user = await stack.idp.token('interop-service')
}, 240_000)
afterAll(() => Promise.all([stack, everything, fininfo].map((part) => part.stop())))

/** What a client finds at an endpoint. */
interface Offer {
  readonly tools: readonly string[]
  readonly call: readonly [tool: string, args: object, says: RegExp]
  readonly read: readonly [uri: string, says: RegExp]
  readonly prompt: readonly [name: string, args: Record<string, string>, says: RegExp]
}

const DOCUMENT = 'demo://resource/static/document/features.md'
const EVERYTHING: Offer = {
  tools: ['echo', 'get-sum'],
  call: ['echo', { message: 'hi' }, /^Echo: hi$/],
  read: [DOCUMENT, /Everything Server/],
  prompt: ['args-prompt', { city: 'Bern' }, /weather in Bern/],
}
const FININFO: Offer = {
  tools: ['get_stock_aggregates', 'print_stock_data'],
  call: ['print_stock_data', { stock_ticker: 'ACMEX' }, /ACMEX/],
  read: ['fininfo://tickers', /"ACMEX"/],
  prompt: ['summarise_stock', { stock_ticker: 'ACMEX' }, /for ACMEX/],
}

/** The same offer as `/mcp` names it. */
function shared(server: string, { tools, call, read, prompt }: Offer): Offer {
  const named = (name: string) => `${server}__${name}`
  return {
    tools: tools.map(named),
    call: [named(call[0]), call[1], call[2]],
    read: [`mcp+${server}+${read[0]}`, read[1]],
    prompt: [named(prompt[0]), prompt[1], prompt[2]],
  }
}

const SHARED_FININFO = shared('fininfo', FININFO)
const SHARED_EVERYTHING = shared('everything', EVERYTHING)

/**
 * `everything` speaks the legacy era, `fininfo` both. Until eras are bridged a modern client finds
 * at `/mcp` what speaks its own, and is told by a server of the other era which version would do.
 */
const ENDPOINTS = {
  '/everything/mcp': { legacy: EVERYTHING, modern: undefined },
  '/mcp': {
    legacy: {
      ...SHARED_EVERYTHING,
      tools: [...SHARED_EVERYTHING.tools, ...SHARED_FININFO.tools],
    },
    modern: SHARED_FININFO,
  },
} as const

type Endpoint = keyof typeof ENDPOINTS
type Era = 'legacy' | 'modern' | 'refused'

/** Which era each client ends up in. */
const ERAS = {
  'SDK v1': { '/everything/mcp': 'legacy', '/mcp': 'legacy' },
  'SDK v2 (auto)': { '/everything/mcp': 'legacy', '/mcp': 'modern' },
  'SDK v2 (pinned)': { '/everything/mcp': 'refused', '/mcp': 'modern' },
  'SDK v2 (legacy)': { '/everything/mcp': 'legacy', '/mcp': 'legacy' },
  Inspector: { '/everything/mcp': 'legacy', '/mcp': 'legacy' },
  'Inspector (auto)': { '/everything/mcp': 'legacy', '/mcp': 'modern' },
  // It asks in the modern era and does not fall back when it is told of an older version.
  'AI SDK': { '/everything/mcp': 'refused', '/mcp': 'modern' },
  'AI SDK (legacy)': { '/everything/mcp': 'legacy', '/mcp': 'legacy' },
  'OpenAI Agents': { '/everything/mcp': 'legacy', '/mcp': 'modern' },
  'mcp-remote': { '/everything/mcp': 'legacy', '/mcp': 'legacy' },
} as const satisfies Record<ClientName, Record<Endpoint, Era>>

const PAIRS = namesOf(ENDPOINTS).flatMap((endpoint) =>
  namesOf(CLIENTS).map((client) => ({ client, endpoint, era: ERAS[client][endpoint] })),
)

const measured: Cell[] = []

describe('a client that nobody here wrote', () => {
  // req: names-callable
  it.each(PAIRS.filter(({ era }) => era !== 'refused'))(
    '$client lists, calls, reads and prompts at $endpoint in the $era era',
    async ({ client, endpoint, era }) => {
      const foreign = CLIENTS[client].client
      const offer = ENDPOINTS[endpoint][era === 'modern' ? 'modern' : 'legacy']
      if (!offer) throw new Error(`nothing is offered at ${endpoint} in the ${era} era`)
      const url = `${stack.gateway.url}${endpoint}`
      const before = stack.events().length

      expect(await foreign.list(url, user)).toEqual(offer.tools)
      const [tool, args, toolSays] = offer.call
      expect(await foreign.call(url, user, tool, args)).toMatch(toolSays)
      const { read, prompt } = foreign
      if (typeof read === 'function') {
        const [uri, says] = offer.read
        expect(await read(url, user, uri)).toMatch(says)
      }
      if (typeof prompt === 'function') {
        const [name, values, says] = offer.prompt
        expect(await prompt(url, user, name, values)).toMatch(says)
      }
      const calls = await eventually(
        async () => stack.events().slice(before).filter(isCall),
        (events) => events.length > 0,
      )
      expect(calls).toMatchObject([{ era, status: 200, outcome: 'ok' }])
      const verbs = {
        list: 'yes',
        call: 'yes',
        read: verdict(read),
        prompt: verdict(prompt),
      } as const
      measured.push({ client, endpoint, era, verbs })
    },
  )

  it.each(PAIRS.filter(({ era }) => era === 'refused'))(
    '$client is told at $endpoint which version would do',
    async ({ client, endpoint, era }) => {
      const foreign = CLIENTS[client].client
      const before = stack.events().length
      const listing = foreign.list(`${stack.gateway.url}${endpoint}`, user)
      const error = { code: -32022, data: { supported: ['2025-11-25'], requested: '2026-07-28' } }
      await expect(listing).rejects.toMatchObject(error)
      const wanted = { outcome: 'unsupported_version', status: 400 }
      const events = await eventually(
        async () => stack.events().slice(before).filter(isRequest),
        (found) => found.length > 0,
      )
      expect(events).toContainEqual(expect.objectContaining(wanted))
      measured.push({ client, endpoint, era, verbs: {} })
    },
  )

  it('finds docs/compatibility.md to say what was measured', async () => {
    expect(measured).toHaveLength(PAIRS.length)
    const matrix = await matrixOf(measured)
    if (process.env['UPDATE_COMPATIBILITY'] === '1') await writeMatrix(matrix)
    expect(await readMatrix(), 'UPDATE_COMPATIBILITY=1 writes it anew').toBe(matrix)
  })
})

/** Of a verb that was asserted, if there is one. */
function verdict(verb: ForeignClient['read' | 'prompt']): 'yes' | 'not offered' {
  return typeof verb === 'function' ? 'yes' : 'not offered'
}

function isRequest({ type }: Record<string, unknown>): boolean {
  return type === 'request'
}

function isCall(event: Record<string, unknown>): boolean {
  return isRequest(event) && event['method'] === 'tools/call'
}

/** The keys of a literal, which has no others. */
function namesOf<Name extends string>(record: Readonly<Record<Name, unknown>>): Name[] {
  return Object.keys(record) as Name[]
}
