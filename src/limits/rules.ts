import { z } from 'zod'
import type { Window } from './window.ts'

/** What a limit may be counted by, in the order in which counters name it. */
export const LIMIT_DIMENSIONS = ['tenant', 'principal', 'key', 'server', 'tool'] as const
export type LimitDimension = (typeof LIMIT_DIMENSIONS)[number]

/** Rules of one tenant. */
export const MAX_LIMIT_RULES = 100
const MAX_MATCHED = 100
const MAX_LIMIT = 1_000_000_000
const MIN_WINDOW_MS = 1_000
const MAX_WINDOW_MS = 86_400_000

const names = z.array(z.string().min(1).max(512)).min(1).max(MAX_MATCHED)

const LimitMatch = z
  .strictObject({
    principals: names.optional().describe('Keys, as event lines and `/me` show them.'),
    groups: names.optional().describe('Groups of the token; one of them is enough.'),
    servers: names
      .optional()
      .describe("Paths of servers; the gateway's own endpoints are `mcp` and `mcpgw`."),
    tools: names
      .optional()
      .describe(
        "The servers' own names of tools; `delete_*` matches a beginning. Only `tools/call` matches.",
      ),
    methods: names.optional().describe('MCP methods; `tools/*` matches a beginning.'),
  })
  .describe('Which calls it is about: an absent member matches all, present ones must all match.')

const members = {
  // A Structured Fields String of the answers' headers, and so ASCII (RFC 9651).
  name: z
    .string()
    .regex(
      /^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$/,
      'must be 1 to 64 of A-Z, a-z, 0-9, space, ., _ and -, not starting with a sign',
    )
    .describe('Shown to those whom it limits.'),
  match: LimitMatch,
  per: z
    .array(z.enum(LIMIT_DIMENSIONS))
    .min(1)
    .max(LIMIT_DIMENSIONS.length)
    .refine((per) => new Set(per).size === per.length, 'must not name one twice')
    .describe(
      'One counter for each combination of these. Without `principal` its users share it fairly.',
    ),
  limit: z.number().int().min(1).max(MAX_LIMIT).describe('Calls in a window.'),
  window: z
    .enum(['minute', 'hour', 'day', 'month'])
    .describe("`minute` and `hour` slide; `day` and `month` are the calendar's in UTC."),
  windowMs: z
    .number()
    .int()
    .min(MIN_WINDOW_MS)
    .max(MAX_WINDOW_MS)
    .describe('Instead of `window`: a sliding one of another length.'),
  weight: z
    .number()
    .min(0.01)
    .max(100)
    .describe(
      'Of the principals it matches, where they share a counter with others; 1 where no rule says more.',
    ),
  enabled: z.boolean(),
}

const hasOneWindow = (rule: { window?: unknown; windowMs?: unknown }): boolean =>
  (rule.window === undefined) !== (rule.windowMs === undefined)
const ONE_WINDOW = { path: ['window'], message: 'give window or windowMs, and not both' }

/** A rule as written and as replaced. */
export const LimitRuleInput = z
  .strictObject({
    name: members.name,
    match: members.match.default({}),
    per: members.per,
    limit: members.limit,
    window: members.window.optional(),
    windowMs: members.windowMs.optional(),
    weight: members.weight.optional(),
    enabled: members.enabled.default(true),
  })
  .refine(hasOneWindow, ONE_WINDOW)
export type LimitRuleInput = z.infer<typeof LimitRuleInput>

/** The members to change. A new window takes the place of the old one, whatever its form. */
export const LimitRulePatch = z
  .strictObject({
    name: members.name.optional(),
    match: members.match.optional(),
    per: members.per.optional(),
    limit: members.limit.optional(),
    window: members.window.optional(),
    windowMs: members.windowMs.optional(),
    weight: members.weight.optional(),
    enabled: members.enabled.optional(),
  })
  .refine((patch) => Object.keys(patch).length > 0, 'must change something')
  .refine((patch) => patch.window === undefined || patch.windowMs === undefined, ONE_WINDOW)
export type LimitRulePatch = z.infer<typeof LimitRulePatch>

/** A rule of a tenant. */
export type LimitRule = Readonly<LimitRuleInput> & { readonly id: string }

/** The window that a rule counts in. */
export function windowOf({ window, windowMs }: Pick<LimitRule, 'window' | 'windowMs'>): Window {
  switch (window) {
    case 'day':
    case 'month':
      return window
    case 'hour':
      return 3_600_000
    case 'minute':
      return 60_000
    case undefined:
      return windowMs ?? 60_000
  }
}
