import { randomUUID } from 'node:crypto'
import { type Cell, namesAt, type Place } from './cell.ts'
import { connectLegacy } from './clients/legacy.ts'
import { connectModern } from './clients/modern.ts'
import type { Pair } from './report.ts'
import { SERVERS } from './servers.ts'
import { endpointUrl, type World } from './world.ts'

export interface StandOptions {
  readonly place: Place
  /** What the client waits for before it answers a question. */
  readonly think?: () => Promise<void>
  /** How long the client waits for an answer. */
  readonly timeoutMs: number
}

const CLIENTS = { legacy: connectLegacy, modern: connectModern } as const

/** A cell with a freshly connected client, which whoever called closes. */
export async function standUp(world: World, pair: Pair, options: StandOptions): Promise<Cell> {
  const { place, ...client } = options
  const upstream = world.upstreams[pair.upstream]
  const before = upstream.wire.exchanges.length
  const url = endpointUrl(world, place === 'single' ? pair.upstream : undefined)
  const everybody = Object.values(world.upstreams)
  return {
    clientEra: pair.client,
    upstreamEra: pair.upstream,
    place,
    client: await CLIENTS[pair.client]({ url, token: world.gateway.userToken, ...client }),
    upstream,
    others: place === 'single' ? [] : everybody.filter((other) => other !== upstream),
    nonce: randomUUID(),
    ...namesAt(place, SERVERS[pair.upstream]),
    atUpstream: () => upstream.wire.exchanges.slice(before),
  }
}
