import { parseArgs } from 'node:util'
import type { Peer } from './rows/row.ts'

/** What one run does. */
export interface Options {
  readonly isQuick: boolean
  readonly checks: boolean
  /** Letters of rows; undefined for all (of the quick ones, when quick). */
  readonly only: readonly string[] | undefined
  readonly rounds: number
  readonly seconds: number
  readonly concurrencies: readonly number[]
  readonly peers: readonly Peer[]
  /** Undefined: a free one. */
  readonly upstreamPort: number | undefined
  /** Names of scale runs. */
  readonly scale: readonly ScaleName[]
  readonly soakMinutes: number
  readonly writes: boolean
  /** The command as one may repeat it, without secrets. */
  readonly command: string
}

export const SCALE_NAMES = ['registered', 'tenants', 'sessions', 'streams'] as const
export type ScaleName = (typeof SCALE_NAMES)[number]

export const HELP = `npm run bench [-- options]

Measures the gateway beside what it could be at best, on a bare workerd, everything on loopback.

  --quick              rows a, b, c, d, f at 1 and 32 at once, seven rounds of 1 s
  --check              judge the speed targets; exit 1 when one is missed, or none can be judged
  --only a,c,g         these rows alone (b comes with each); writes no results
  --rounds N           interleaved rounds (7)
  --seconds N          of each row in each round (1 when quick, else 2)
  --concurrency 1,32   connections at once (1,32 when quick, else 1,32,128)
  --peer name=url      another gateway, asked for the same modern call; may be repeated
  --peer-header n=k:v  a header for the peer n; may be repeated
  --peer-tool n=tool   what the peer n calls the tool (echo)
  --upstream-port N    where the upstream listens, for peers that are set up before the run
  --scale [names]      scale runs instead: ${SCALE_NAMES.join(',')}; all without names
  --soak [minutes]     300 requests/s for so long (10) instead
  --no-write           leave docs/bench as it is
  --help

Rows: a direct to the upstream; b ceiling: a Worker of a few lines; c modern call; d call in a legacy
session; e call at /mcp with 20 servers; f answer streamed with 20 progress events; g merged
tools/list; h nginx, and nginx with auth_request; i peers; j what a call cannot go without, done by
hand. docs/bench/README.md explains them.`

const DEFAULT_SOAK_MINUTES = 10

/** Reads the arguments behind \`--\`; \`help\` when that is asked. Throws what is wrong with them. */
export function parseOptions(args: readonly string[]): Options | 'help' {
  const { values } = parseArgs({
    args: withDefaults(args),
    options: {
      quick: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      only: { type: 'string' },
      rounds: { type: 'string', default: '7' },
      seconds: { type: 'string' },
      concurrency: { type: 'string' },
      peer: { type: 'string', multiple: true, default: [] },
      'peer-header': { type: 'string', multiple: true, default: [] },
      'peer-tool': { type: 'string', multiple: true, default: [] },
      'upstream-port': { type: 'string' },
      scale: { type: 'string' },
      soak: { type: 'string' },
      'no-write': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  const isQuick = values.quick
  return {
    isQuick,
    checks: values.check,
    only: values.only?.split(',').map((letter) => letter.trim()),
    rounds: count('rounds', values.rounds),
    seconds: count('seconds', values.seconds ?? (isQuick ? '1' : '2')),
    concurrencies: (values.concurrency ?? (isQuick ? '1,32' : '1,32,128'))
      .split(',')
      .map((text) => count('concurrency', text)),
    peers: peersOf(values.peer, values['peer-header'], values['peer-tool']),
    upstreamPort:
      values['upstream-port'] === undefined
        ? undefined
        : count('upstream-port', values['upstream-port']),
    scale: values.scale === undefined ? [] : values.scale.split(',').map(scaleName),
    soakMinutes: values.soak === undefined ? 0 : count('soak', values.soak),
    writes: !values['no-write'] && values.only === undefined,
    command: commandOf(args),
  }
}

/** `--scale` and `--soak` may stand alone. */
function withDefaults(args: readonly string[]): string[] {
  const defaults: Readonly<Record<string, string>> = {
    '--scale': SCALE_NAMES.join(','),
    '--soak': String(DEFAULT_SOAK_MINUTES),
  }
  return args.flatMap((arg, at) => {
    const standsAlone = args[at + 1] === undefined || args[at + 1]?.startsWith('-')
    const value = defaults[arg]
    return value !== undefined && standsAlone ? [arg, value] : [arg]
  })
}

function count(name: string, text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} takes whole numbers from 1`)
  return value
}

function scaleName(text: string): ScaleName {
  const name = SCALE_NAMES.find((known) => known === text.trim())
  if (name === undefined) throw new Error(`--scale knows ${SCALE_NAMES.join(', ')}`)
  return name
}

function peersOf(
  peers: readonly string[],
  headers: readonly string[],
  tools: readonly string[],
): Peer[] {
  return peers.map((text) => {
    const [, name = '', url = ''] = /^([a-z0-9-]+)=(.+)$/.exec(text) ?? []
    if (!URL.canParse(url)) throw new Error('--peer takes name=url')
    const own = headers.filter((header) => header.startsWith(`${name}=`))
    const tool = tools.find((one) => one.startsWith(`${name}=`))?.slice(name.length + 1) ?? 'echo'
    return { name, url, tool, headers: Object.fromEntries(own.map(headerOf)) }
  })
}

function headerOf(text: string): [string, string] {
  const [, name, value] = /^[^=]+=([^:]+):\s*(.*)$/.exec(text) ?? []
  if (name === undefined || value === undefined)
    throw new Error('--peer-header takes peer=name:value')
  return [name, value]
}

/** Without what headers say, which may be a token. */
function commandOf(args: readonly string[]): string {
  const shown = args.filter(
    (arg, at) => !arg.startsWith('--peer-header') && args[at - 1] !== '--peer-header',
  )
  return ['npm run bench', ...(shown.length > 0 ? ['--', ...shown] : [])].join(' ')
}
