import { type Command, InvalidArgumentError } from 'commander'
import { z } from 'zod'
import { readDocument } from './read-document.ts'
import { type Session, sessionOf } from './session.ts'
import { table } from './table.ts'

const COLLECTION = '/api/v1/virtual-servers'

/** The members of the API's answers that are shown; the rest goes to `--json` untouched. */
const Summary = z.looseObject({
  path: z.string(),
  name: z.string(),
  enabled: z.boolean(),
  items: z.record(z.string(), z.number()),
})
const Page = z.looseObject({
  virtualServers: z.array(Summary),
  nextCursor: z.string().optional(),
})
const Item = z.looseObject({
  server: z.string(),
  as: z.string().optional(),
  name: z.string().optional(),
  uri: z.string().optional(),
  uriTemplate: z.string().optional(),
  state: z.string(),
})
type Item = z.infer<typeof Item>
const Fleet = z.looseObject({
  name: z.string(),
  as: z.string(),
  selector: z.string(),
  members: z.array(z.looseObject({ value: z.string(), server: z.string(), state: z.string() })),
})
const Virtual = z.looseObject({
  path: z.string(),
  name: z.string(),
  enabled: z.boolean(),
  tools: z.array(Item),
  prompts: z.array(Item),
  resources: z.array(Item),
  resourceTemplates: z.array(Item),
  fleets: z.array(Fleet).default([]),
})

/** `virtual add|list|show|repin|delete`. */
export function addVirtualCommands(program: Command): void {
  const virtual = program.command('virtual').description('servers made of chosen items of others')

  virtual
    .command('add <file>')
    .description('make one from a JSON file: {path, name, tools: [{server, name, as?}], ...}')
    .action(async (file: string, _options: object, command: Command) => {
      const session = sessionOf(command)
      const document = await readDocument(file)
      show(session, await (await session.api()).request('POST', COLLECTION, document))
    })

  virtual
    .command('list')
    .description('list them by path')
    .option('--cursor <cursor>', 'the next page')
    .action(async (options: { cursor?: string }, command: Command) => {
      const session = sessionOf(command)
      const query = new URLSearchParams(options.cursor ? { cursor: options.cursor } : {})
      const answer = await (await session.api()).request('GET', `${COLLECTION}?${query}`)
      const { virtualServers, nextCursor } = Page.parse(answer)
      const more = nextCursor === undefined ? '' : `\nmore: --cursor ${nextCursor}`
      const rows = virtualServers.map(({ path, name, enabled, items }) => [
        ...[path, name, enabled ? 'enabled' : 'disabled'],
        String(Object.values(items).reduce((sum, count) => sum + count, 0)),
      ])
      const list = table(['path', 'name', 'state', 'items'], rows)
      session.print(answer, rows.length === 0 ? 'no virtual servers' : list + more)
    })

  virtual
    .command('show <path>')
    .description('show one, and whether its items are still what was chosen')
    .action(async (path: string, _options: object, command: Command) => {
      const session = sessionOf(command)
      show(session, await (await session.api()).request('GET', pathOf(path)))
    })

  virtual
    .command('repin <path>')
    .description('accept what upstreams offer now')
    .option('--item <kind:server/key...>', 'these alone, such as tool:books/search', itemOf)
    .action(async (path: string, options: { item?: ItemRef[] }, command: Command) => {
      const session = sessionOf(command)
      const body = options.item ? { items: options.item } : {}
      show(session, await (await session.api()).request('POST', `${pathOf(path)}/repin`, body))
    })

  virtual
    .command('delete <path>')
    .description('delete one; the servers behind it stay')
    .action(async (path: string, _options: object, command: Command) => {
      const session = sessionOf(command)
      await (await session.api()).request('DELETE', pathOf(path))
      session.print({ deleted: path }, `deleted ${path}`)
    })
}

interface ItemRef {
  readonly kind: string
  readonly server: string
  readonly key: string
}

function itemOf(text: string, before: ItemRef[] = []): ItemRef[] {
  const [, kind, server, key] = /^(tool|prompt|resource|template):([^/]+)\/(.+)$/s.exec(text) ?? []
  if (kind === undefined || server === undefined || key === undefined) {
    throw new InvalidArgumentError('must be {tool|prompt|resource|template}:{server}/{key}')
  }
  return [...before, { kind, server, key }]
}

function pathOf(path: string): string {
  return `${COLLECTION}/${encodeURIComponent(path)}`
}

function show(session: Session, answer: unknown): void {
  const { path, name, enabled, ...lists } = Virtual.parse(answer)
  const rows = [
    ...lists.tools.map((item) => rowOf('tool', item)),
    ...lists.prompts.map((item) => rowOf('prompt', item)),
    ...lists.resources.map((item) => rowOf('resource', item)),
    ...lists.resourceTemplates.map((item) => rowOf('template', item)),
    ...lists.fleets.flatMap(({ name, as, selector, members }) =>
      members.map(({ value, server, state }) => [
        ...['tool', server, name, `${as} (${selector}=${value})`, state],
      ]),
    ),
  ]
  const head = `${path}: ${name}\n${enabled ? 'enabled' : 'disabled'}`
  const items = rows.length === 0 ? '' : `\n${table(['kind', 'server', 'item', 'as', 'pin'], rows)}`
  session.print(answer, head + items)
}

function rowOf(kind: string, item: Item): string[] {
  const key = item.uri ?? item.uriTemplate ?? item.name ?? ''
  return [kind, item.server, key, item.as ?? '', item.state]
}
