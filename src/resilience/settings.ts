import { z } from 'zod'

/** The algorithms that spread calls over the endpoints of a server. */
export const BALANCER_NAMES = [
  'round-robin',
  'weighted',
  'least-connections',
  'random',
  'consistent-hash',
  'least-latency',
] as const

const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/
const MAX_TOOL_DEADLINES = 100
const ms = (min: number, max: number) => z.number().int().min(min).max(max)
const count = (min: number, max: number) => z.number().int().min(min).max(max)

/**
 * How one server is routed to and kept from hurting others. Every member may be absent: then the
 * deployment's default holds (`docs/operations.md` lists them).
 */
export const ResilienceSettings = z.strictObject({
  balancer: z
    .enum(BALANCER_NAMES)
    .describe('How calls are spread over the endpoints; `weighted` by default.')
    .optional(),
  hashBy: z
    .union([
      z.enum(['principal', 'session']),
      z.strictObject({
        header: z.string().regex(HEADER_NAME, 'must be the name of a header').toLowerCase(),
      }),
    ])
    .describe('What `consistent-hash` keeps at one endpoint; `principal` by default.')
    .optional(),
  deadlineMs: ms(100, 3_600_000)
    .describe('Of a call and its retries, until the last byte of the answer.')
    .optional(),
  toolDeadlinesMs: z
    .record(z.string().min(1).max(128), ms(100, 3_600_000))
    .refine((tools) => Object.keys(tools).length <= MAX_TOOL_DEADLINES, 'must not name so many')
    .describe('By tool name; holds instead of `deadlineMs`.')
    .optional(),
  retries: z
    .strictObject({
      maxAttempts: count(1, 5).describe('The first one included.').optional(),
      budgetPercent: count(0, 100)
        .describe('Retries and second copies per hundred calls.')
        .optional(),
    })
    .optional(),
  hedgeAfterMs: ms(10, 60_000)
    .describe(
      'When to send a second copy to another endpoint, of a call that may be sent twice and has no answer yet.',
    )
    .optional(),
  bulkhead: z
    .strictObject({
      maxConcurrent: count(1, 10_000).describe('Calls at one endpoint at once.').optional(),
      maxQueued: count(0, 10_000)
        .describe('Calls that wait for a place; more are refused with 503.')
        .optional(),
      queueMs: ms(0, 60_000).describe('How long a call waits for a place.').optional(),
    })
    .optional(),
  breaker: z
    .strictObject({
      failureThreshold: count(1, 1_000).describe('Failures in a row.').optional(),
      failurePercent: count(1, 100).describe('Of the calls within `windowMs`.').optional(),
      minCalls: count(1, 10_000).describe('Below it the percentage says nothing.').optional(),
      windowMs: ms(1_000, 600_000).describe('That the percentage is of.').optional(),
      openMs: ms(100, 600_000)
        .describe('How long it stays open; doubles with each failed probe.')
        .optional(),
      maxOpenMs: ms(100, 3_600_000).describe('At most.').optional(),
      halfOpenPermits: count(1, 100).describe('Calls let through at a time to try it.').optional(),
    })
    .optional(),
})
export type ResilienceSettings = z.infer<typeof ResilienceSettings>
