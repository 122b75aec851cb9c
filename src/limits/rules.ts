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

/** Which calls a rule is about; an absent member matches all, present ones must all match. */
const LimitMatch = z.strictObject({
  /** `principal.key`, as event lines and `GET /api/v1/me` show it. */
  principals: names.optional(),
  /** One of them is enough. */
  groups: names.optional(),
  /** Paths of servers; the gateway's own endpoints are `mcp` and `mcpgw`. */
  servers: names.optional(),
  /** The server's own names of tools; `delete_*` matches a beginning. Only calls of tools match. */
  tools: names.optional(),
  /** MCP methods; `tools/*` matches a beginning. */
  methods: names.optional(),
})

const members = {
  /** Shown to those whom it limits; a Structured Fields String, and so ASCII (RFC 9651). */
  name: z
    .string()
    .regex(
      /^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$/,
      'must be 1 to 64 of A-Z, a-z, 0-9, space, ., _ and -, not starting with a sign',
    ),
  match: LimitMatch,
  /** One counter for each combination of these. Without `principal` its users share it fairly. */
  per: z
    .array(z.enum(LIMIT_DIMENSIONS))
    .min(1)
    .max(LIMIT_DIMENSIONS.length)
    .refine((per) => new Set(per).size === per.length, 'must not name one twice'),
  /** Calls in a window. */
  limit: z.number().int().min(1).max(MAX_LIMIT),
  /** `minute` and `hour` slide; `day` and `month` are the calendar's in UTC. */
  window: z.enum(['minute', 'hour', 'day', 'month']),
  /** Instead of `window`: a sliding one of another length. */
  windowMs: z.number().int().min(MIN_WINDOW_MS).max(MAX_WINDOW_MS),
  /** Of the principals it matches, where they share a counter with others; 1 without a rule. */
  weight: z.number().min(0.01).max(100),
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
