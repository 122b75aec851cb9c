import { type Command, InvalidArgumentError, Option } from 'commander'
import { z } from 'zod'
import { ResilienceSettings } from '../../src/resilience/index.ts'
import { MisuseError } from './errors.ts'
import { mergePatch } from './merge-patch.ts'
import { readDocument } from './read-document.ts'
import { addRoutingOptions, type RoutingOptions, withRouting } from './routing.ts'
import { ofServer, serverPath } from './server-api.ts'
import { addServerHealthCommand } from './server-health.ts'
import { type Session, sessionOf } from './session.ts'
import { table } from './table.ts'

const DEFAULT_TIMEOUT_MS = 30_000

/** The members of the API's answers that are shown; the rest goes to `--json` untouched. */
const Server = z.looseObject({
  path: z.string(),
  name: z.string(),
  description: z.string(),
  enabled: z.boolean(),
  health: z.string(),
  tags: z.array(z.string()),
  discovered: z.record(z.string(), z.number()),
  endpoints: z
    .array(z.looseObject({ url: z.string(), health: z.string(), weight: z.number().default(1) }))
    .optional(),
  timeoutMs: z.number().default(DEFAULT_TIMEOUT_MS),
  trustAnnotations: z.boolean().default(false),
  resilience: ResilienceSettings.optional(),
})
type Server = z.infer<typeof Server>

const Routed = z.looseObject({ resilience: ResilienceSettings })

const Page = z.looseObject({ servers: z.array(Server), nextCursor: z.string().optional() })

/** `server add|list|show|health|set|toggle|refresh|delete`. */
export function addServerCommands(program: Command): void {
  const server = program.command('server').description('registered MCP servers')

  addRoutingOptions(server.command('add <path>'))
    .description('register a server: connects to it and stores what it offers')
    .requiredOption('--endpoint <url...>', 'URL of its MCP endpoint; several are balanced')
    .addOption(
      new Option('--transport <transport>', 'how it is spoken to')
        .choices(['auto', 'streamable-http', 'sse', 'websocket'])
        .default('auto'),
    )
    .option('--weight <n...>', 'weights of the endpoints, in their order (default: 1)', weights)
    .option('--name <name>', 'shown name (default: the path)')
    .option('--description <text>', 'what it is for', '')
    .option('--tag <tag...>', 'tags', [])
    .option('--visibility <who>', 'public, group or private', 'public')
    .option('--group <group...>', 'user groups that see it, when visibility is group', [])
    .option('--timeout-ms <ms>', 'how long it may be silent (default: 30000)', wholeNumber)
    .option('--trust-annotations', 'believe what its tools say of themselves: see retries')
    .option('--allow-unreachable', 'register it although nothing answers yet')
    .action(async (path: string, options: AddOptions, command: Command) => {
      const session = sessionOf(command)
      const query = options.allowUnreachable ? '?allowUnreachable=true' : ''
      const body = {
        path,
        name: options.name ?? path,
        description: options.description,
        tags: options.tag,
        transport: options.transport,
        visibility: options.visibility,
        allowedGroups: options.group,
        endpoints: endpointsOf(options),
        resilience: withRouting({}, options),
        ...patienceOf(options),
      }
      const api = await session.api()
      show(session, await api.request('POST', `/api/v1/servers${query}`, body))
    })

  server
    .command('list')
    .description('list servers by path')
    .option('--tag <tag>', 'only with this tag')
    .option('--text <text>', 'only with this in path, name or description')
    .option('--health <state>', 'only in this state')
    .option('--limit <n>', 'servers a page', wholeNumber)
    .option('--cursor <cursor>', 'the next page')
    .action(async (filters: Record<string, string | number>, command: Command) => {
      const session = sessionOf(command)
      const query = new URLSearchParams()
      for (const name of ['tag', 'text', 'health', 'limit', 'cursor']) {
        if (filters[name] !== undefined) query.set(name, String(filters[name]))
      }
      const answer = await (await session.api()).request('GET', `/api/v1/servers?${query}`)
      const { servers, nextCursor } = Page.parse(answer)
      const more = nextCursor === undefined ? '' : `\nmore: --cursor ${nextCursor}`
      session.print(answer, servers.length === 0 ? 'no servers' : listText(servers) + more)
    })

  server
    .command('show <path>')
    .description('show a server')
    .action(async (path: string, _options: object, command: Command) => {
      const session = sessionOf(command)
      const api = await session.api()
      show(session, await ofServer(api, path, () => api.request('GET', serverPath(path))))
    })

  addServerHealthCommand(server)

  addRoutingOptions(server.command('set <path>'))
    .description('change how calls to a server are balanced, bounded, retried and cut off')
    .option('--timeout-ms <ms>', 'how long it may be silent', wholeNumber)
    .option('--trust-annotations', 'believe what its tools say of themselves: see retries')
    .option('--no-trust-annotations', 'believe it no more')
    .option(
      '--resilience <file>',
      'a JSON or YAML file of settings, such as deadlineMs or breaker.openMs; null takes one back',
    )
    .action(async (path: string, options: SetOptions, command: Command) => {
      const patience = patienceOf(options)
      const isRouted = options.balancer ?? options.hashBy ?? options.resilience
      if (!isRouted && Object.keys(patience).length === 0) command.error(NOTHING_TO_SET)
      const session = sessionOf(command)
      const named = options.resilience ? await membersOf(options.resilience) : {}
      const api = await session.api()
      const now = await ofServer(api, path, () => api.request('GET', serverPath(path)))
      const { resilience } = Routed.parse(now)
      const changed = mergePatch(resilience, named) as Record<string, unknown>
      const routing = isRouted ? { resilience: withRouting(changed, options) } : {}
      show(session, await api.request('PATCH', serverPath(path), { ...routing, ...patience }))
    })

  server
    .command('toggle <path>')
    .description('enable or disable a server; without an option it flips')
    .option('--on', 'enable')
    .option('--off', 'disable')
    .action(async (path: string, options: { on?: boolean; off?: boolean }, command: Command) => {
      if (options.on && options.off) command.error('error: --on and --off exclude each other')
      const session = sessionOf(command)
      const wish = options.on ? { enabled: true } : options.off ? { enabled: false } : {}
      show(session, await (await session.api()).request('POST', `${serverPath(path)}/toggle`, wish))
    })

  server
    .command('refresh <path>')
    .description('ask the upstream again what it offers')
    .action(async (path: string, _options: object, command: Command) => {
      const session = sessionOf(command)
      show(session, await (await session.api()).request('POST', `${serverPath(path)}/refresh`))
    })

  server
    .command('delete <path>')
    .description('delete a server and what was discovered of it')
    .action(async (path: string, _options: object, command: Command) => {
      const session = sessionOf(command)
      await (await session.api()).request('DELETE', serverPath(path))
      session.print({ deleted: path }, `deleted ${path}`)
    })
}

const NOTHING_TO_SET = 'error: nothing to set; see gatehouse server set --help'

interface PatienceOptions {
  readonly timeoutMs?: number
  readonly trustAnnotations?: boolean
}

interface SetOptions extends RoutingOptions, PatienceOptions {
  readonly resilience?: string
}

interface AddOptions extends RoutingOptions, PatienceOptions {
  readonly endpoint: readonly string[]
  readonly weight?: readonly number[]
  readonly transport: string
  readonly name?: string
  readonly description: string
  readonly tag: readonly string[]
  readonly visibility: string
  readonly group: readonly string[]
  readonly allowUnreachable?: boolean
}

function endpointsOf({ endpoint, weight = [] }: AddOptions): readonly object[] {
  if (weight.length > endpoint.length)
    throw new MisuseError('there are more weights than endpoints')
  return endpoint.map((url, index) => {
    const named = weight[index]
    return named === undefined ? { url } : { url, weight: named }
  })
}

function patienceOf({ timeoutMs, trustAnnotations }: PatienceOptions): object {
  return {
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(trustAnnotations === undefined ? {} : { trustAnnotations }),
  }
}

/** What a file sets; the gateway judges it. */
async function membersOf(file: string): Promise<Readonly<Record<string, unknown>>> {
  const { success, data } = z.record(z.string(), z.unknown()).safeParse(await readDocument(file))
  if (!success) throw new MisuseError(`${file} holds no object`)
  if (Object.keys(data).length === 0) throw new MisuseError(`${file} sets nothing`)
  return data
}

function show(session: Session, answer: unknown): void {
  const server = Server.parse(answer)
  const counts = countsText(server)
  const endpoints = (server.endpoints ?? []).map(
    ({ url, health, weight }) => `  ${url} (${health}${weight === 1 ? '' : `, weight ${weight}`})`,
  )
  const { timeoutMs, trustAnnotations } = server
  const lines = [
    `${server.path}: ${server.name}`,
    ...(server.description ? [server.description] : []),
    `${server.enabled ? 'enabled' : 'disabled'}, ${server.health}, ${counts || 'offers nothing yet'}`,
    ...endpoints,
    ...(timeoutMs === DEFAULT_TIMEOUT_MS ? [] : [`  may be silent for ${timeoutMs} ms`]),
    ...(trustAnnotations ? ['  its tools are believed'] : []),
    ...resilienceText(server.resilience),
  ]
  session.print(answer, lines.join('\n'))
}

/** Where it is not the default. */
function resilienceText(settings: ResilienceSettings = {}): string[] {
  const { balancer, hashBy, ...rest } = settings
  const others = balancer || !hashBy ? rest : { hashBy, ...rest }
  const by = typeof hashBy === 'object' ? `the header ${hashBy.header}` : hashBy
  return [
    ...(balancer ? [`  balanced by ${balancer}${by === undefined ? '' : `, by ${by}`}`] : []),
    ...Object.entries(others).map(([member, value]) => `  ${member}: ${JSON.stringify(value)}`),
  ]
}

function listText(servers: readonly Server[]): string {
  return table(
    ['path', 'name', 'state', 'health', 'offers'],
    servers.map((server) => [
      server.path,
      server.name,
      server.enabled ? 'enabled' : 'disabled',
      server.health,
      countsText(server),
    ]),
  )
}

function countsText({ discovered }: Server): string {
  return Object.entries(discovered)
    .filter(([, count]) => count > 0)
    .map(([member, count]) => counted(count, member))
    .join(', ')
}

/** Such as `1 tool` and `2 resource templates`. */
function counted(count: number, member: string): string {
  const words = member.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
  return `${count} ${count === 1 ? words.replace(/s$/, '') : words}`
}

function weights(text: string, before: readonly number[] = []): readonly number[] {
  return [...before, wholeNumber(text)]
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('must be a whole number')
  return Number(text)
}
