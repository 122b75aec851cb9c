import { randomUUID } from 'node:crypto'
import { type Cell, namesAt, type Place } from './cell.ts'
import type { MatrixClient } from './clients/client.ts'
import { connectLegacy } from './clients/legacy.ts'
import { connectModern } from './clients/modern.ts'
import type { Outcome, Pair } from './report.ts'
import { checkClientEnd } from './rules/client-end.ts'
import { checkUpstreamEnd } from './rules/upstream-end.ts'
import type { Topic } from './topics/index.ts'
import { endpointUrl, SERVERS, type World } from './world.ts'

export interface CellOptions {
  readonly place: Place
  /** How long the client thinks before it answers a question. */
  readonly thinkMs?: number
}

const CLIENTS = { legacy: connectLegacy, modern: connectModern } as const
/** Longer than anything in a cell waits for, thinking aside. */
const CELL_DEADLINE_MS = 60_000
const REASON_CHARS = 600

/** Connects a client of its own, runs the topic, and looks at all that passed at both ends. */
export async function runCell(
  world: World,
  topic: Topic,
  pair: Pair,
  table: string,
  options: CellOptions,
): Promise<Outcome> {
  const startedAt = Date.now()
  const deadlineMs = CELL_DEADLINE_MS + 2 * (options.thinkMs ?? 0)
  const reason = await within(deadlineMs, attempt(world, topic, pair, options))
  const ms = Date.now() - startedAt
  return { topic: topic.name, pair, table, ms, ...(reason === undefined ? {} : { reason }) }
}

/** What is wrong; undefined when nothing is. */
async function attempt(
  world: World,
  topic: Topic,
  pair: Pair,
  { place, thinkMs = 0 }: CellOptions,
): Promise<string | undefined> {
  const clients: MatrixClient[] = []
  const upstream = world.upstreams[pair.upstream]
  const url = endpointUrl(world, place === 'single' ? pair.upstream : undefined)
  const connect = async (): Promise<MatrixClient> => {
    const client = await CLIENTS[pair.client]({ url, token: world.gateway.userToken, thinkMs })
    clients.push(client)
    return client
  }
  const before = upstream.wire.exchanges.length
  try {
    const cell: Cell = {
      clientEra: pair.client,
      upstreamEra: pair.upstream,
      place,
      client: await connect(),
      upstream,
      others:
        place === 'single'
          ? []
          : Object.values(world.upstreams).filter((other) => other !== upstream),
      nonce: randomUUID(),
      ...namesAt(place, SERVERS[pair.upstream]),
      atUpstream: () => upstream.wire.exchanges.slice(before),
      connect,
    }
    await topic.run(cell)
    checkClientEnd(cell)
    checkUpstreamEnd(cell)
    return undefined
  } catch (error) {
    return reasonOf(error)
  } finally {
    await Promise.all(clients.map((client) => client.close().catch(() => {})))
  }
}

function reasonOf(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return text.replaceAll(/\s+/g, ' ').slice(0, REASON_CHARS)
}

async function within(ms: number, work: Promise<string | undefined>): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`not finished after ${ms} ms`), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
