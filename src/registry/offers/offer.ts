import { z } from 'zod'
import { EndpointId, ServerId, ServerPath } from '../../core/index.ts'
import { Visibility } from '../../policy/index.ts'
import { jsonOf, names } from '../rows.ts'
import { Health } from '../server-record.ts'

/** What a caller may ask for by itself, whoever offers it. */
export const OfferKind = z.enum(['tool', 'resource'])
export type OfferKind = z.infer<typeof OfferKind>

/** What is wanted of any server that has it. */
export type WantedOffer =
  /** `key` is a tool's name or a resource's URI, as the servers themselves call it. */
  | { readonly kind: OfferKind; readonly key: string }
  /** A server with this tag. */
  | { readonly kind: 'tag'; readonly key: string }

/** An endpoint as the last health checks left it. */
const OfferEndpoint = z
  .tuple([EndpointId, Health, z.number(), z.number().nullable()])
  .transform(([id, health, weight, lastLatencyMs]) => ({ id, health, weight, lastLatencyMs }))

/** One enabled server that has what is wanted, with all that a choice among them looks at. */
export const Offer = z.object({
  /** Of what is offered; empty for a tag. */
  key: z.string(),
  /**
   * Equal where the same arguments fit: of a tool the hash of its input schema. Empty where nothing
   * is passed.
   */
  definition: z.string(),
  serverId: ServerId,
  path: ServerPath,
  owner: z.string(),
  visibility: Visibility,
  allowedGroups: names,
  tags: names,
  health: Health,
  /** Epoch ms. */
  registeredAt: z.number(),
  endpoints: jsonOf(z.array(OfferEndpoint)),
})
export type Offer = Readonly<z.infer<typeof Offer>>
