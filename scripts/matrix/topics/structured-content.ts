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
import { SERVERS } from '../servers.ts'
import { PAGE_ITEMS } from '../upstreams/stage.ts'
import { MEASURES, REPORT } from '../upstreams/tools.ts'
import { holds, only, same } from '../wire/expect.ts'
import { dig, digList, type Json } from '../wire/json.ts'

/** Structured content arrives as it was; lists of several pages arrive whole, in order. */
export async function structuredContent(cell: Cell): Promise<void> {
  const listed = await wholeList(cell)
  await checkReport(cell, listed)
  if (cell.upstreamEra === 'modern') await checkMeasure(cell, listed)
}

async function wholeList(cell: Cell): Promise<readonly Json[]> {
  const { client, upstream, place, others } = cell
  const tools = await client.tools()
  const resources = await client.resources()
  const own = upstream.stage.tools.map(({ name }) => cell.toolName(name))
  const names = tools.map((tool) => tool['name'])
  if (place === 'single') {
    same('the tools', names, own)
    same(
      'the resources',
      resources.map(({ uri }) => uri),
      upstream.stage.resources.map(({ uri }) => uri),
    )
    checkPages(cell, 'tools/list', own.length)
    checkPages(cell, 'resources/list', upstream.stage.resources.length)
    return tools
  }
  for (const { stage, era } of [upstream, ...others]) {
    const { toolName, uri } = namesAt(place, SERVERS[era])
    // Tools that came later may be news to those who were not told.
    const offered = stage.tools.map(({ name }) => toolName(name)).slice(0, stage.offered)
    const found = names.filter((name) => offered.includes(String(name)))
    same(`the tools of the ${era} server`, found, offered)
    const wanted = stage.resources.map((resource) => uri(resource.uri))
    const seen = resources.map((resource) => String(resource['uri']))
    same(
      `the resources of the ${era} server`,
      wanted.filter((one) => seen.includes(one)),
      wanted,
    )
  }
  return tools
}

/** Each page was asked for with the cursor of the one before, at both ends. */
function checkPages(cell: Cell, method: string, items: number): void {
  const pages = Math.ceil(items / PAGE_ITEMS)
  const asked = ofMethod(cell.client.wire.exchanges, method)
  same(`pages of ${method} at the client`, asked.length, pages)
  const ids = new Set(asked.map(({ sent }) => dig(sent, 'params', 'cursor')))
  same('different cursors', ids.size, pages)
  for (const [index, page] of asked.slice(1).entries()) {
    const before = asked[index]
    same('the cursor', dig(page.sent, 'params', 'cursor'), before && resultOf(before)['nextCursor'])
  }
  // The gateway may ask as well, on its own account: what counts are the cursors themselves.
  const served = ofMethod(cell.atUpstream(), method)
  holds(`pages of ${method} at the upstream`, served.length >= pages, served.length)
  const given = served.map((page) => resultOf(page)['nextCursor'])
  for (const page of served) {
    const cursor = dig(page.sent, 'params', 'cursor')
    holds(
      'a cursor that the upstream never gave',
      cursor === undefined || given.includes(cursor),
      cursor,
    )
  }
}

async function checkReport(cell: Cell, listed: readonly Json[]): Promise<void> {
  const offer = cell.upstream.stage.tools.find(({ name }) => name === 'report')
  const tool = listed.find(({ name }) => name === cell.toolName('report'))
  same('the outputSchema', tool?.['outputSchema'], offer?.outputSchema)
  const result = await call(cell, 'report')
  same('the structured content', result['structuredContent'], REPORT)
  same('the text beside it', textIn(result), REPORT)
  const asked = only('calls at the client', clientCalls(cell))
  const served = only('calls at the upstream', upstreamCalls(cell))
  same('on the wire', resultOf(asked)['structuredContent'], resultOf(served)['structuredContent'])
}

/** What is no object exists since 2026-07-28; a legacy client gets the text alone. */
async function checkMeasure(cell: Cell, listed: readonly Json[]): Promise<void> {
  const isModern = cell.clientEra === 'modern'
  const tool = listed.find(({ name }) => name === cell.toolName('measure'))
  same(
    'the outputSchema of a list',
    tool?.['outputSchema'],
    isModern ? { type: 'array' } : undefined,
  )
  const result = await call(cell, 'measure', {}, { part: 'measure' })
  same('the list', result['structuredContent'], isModern ? MEASURES : undefined)
  same('the text beside the list', textIn(result), MEASURES)
  same('blocks of content', digList(result, 'content').length, 1)
}
