import { z } from 'zod'
import type { RankedOffer } from './router.ts'

/** In `_meta` of a result: which server was chosen, and why. */
export const ROUTING_META_KEY = 'dev.gatehouse/routing'

/** More say nothing that a reader would use. */
const MAX_SHOWN = 10

/** A server in its place, as callers are told of it. */
export const RoutedServer = z.strictObject({
  server: z.string(),
  score: z
    .number()
    .describe('0 to 100: twenties say how available it is (80: healthy), the rest how fast.'),
  reason: z
    .enum(['only_one', 'availability', 'preference', 'score', 'weight', 'registered_first', 'name'])
    .describe(
      'Of the first: what put it before the second; of others: what put them behind the first.',
    ),
  health: z.enum(['healthy', 'unhealthy', 'unknown']),
  breaker: z.enum(['closed', 'half_open', 'open']),
  latencyMs: z.number().optional().describe('Absent where nobody has measured it.'),
})
export type RoutedServer = z.infer<typeof RoutedServer>

/** What became of a wish. */
export const RoutingNote = z.strictObject({
  server: z.string().describe('The one that answered.'),
  endpoint: z.string().optional(),
  reason: z
    .enum([...RoutedServer.shape.reason.options, 'others_unavailable', 'retry'])
    .describe('`others_unavailable`: those before it took no call; `retry`: it began there.'),
  definition: z.string().optional().describe('Of what was asked for: hash of its input schema.'),
  candidates: z.array(RoutedServer).describe('The best of those the caller may use.'),
  more: z.number().optional().describe('Candidates besides.'),
})
export type RoutingNote = z.infer<typeof RoutingNote>

/** @see RoutedServer */
export function routedServer(ranked: RankedOffer): RoutedServer {
  const { server, score, reason, health, breaker, latencyMs } = ranked
  return {
    ...{ server, score, reason, health, breaker },
    ...(latencyMs === undefined ? {} : { latencyMs: Math.round(latencyMs) }),
  }
}

/** @see RoutingNote */
export function routingNote(
  route: { readonly ranked: readonly RankedOffer[]; readonly definition: string },
  server: string,
  endpoint?: string,
  reason?: RoutingNote['reason'],
): RoutingNote {
  const { ranked, definition } = route
  const more = ranked.length - MAX_SHOWN
  return {
    server,
    ...(endpoint === undefined ? {} : { endpoint }),
    reason: reason ?? (ranked[0]?.server === server ? ranked[0].reason : 'others_unavailable'),
    ...(definition === '' ? {} : { definition }),
    candidates: ranked.slice(0, MAX_SHOWN).map(routedServer),
    ...(more > 0 ? { more } : {}),
  }
}
