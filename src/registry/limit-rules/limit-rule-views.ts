import { z } from 'zod'
import { LIMIT_DIMENSIONS, type LimitRule, LimitRuleInput } from '../../limits/index.ts'

/** A rule as the API shows it. */
export const LimitRuleOut = z.object({
  id: z.string(),
  ...LimitRuleInput.shape,
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
})
export type LimitRuleOut = z.infer<typeof LimitRuleOut>

/** All rules of the tenant, by name: there are at most 100. */
export const LimitRuleList = z.object({ rules: z.array(LimitRuleOut) })
export type LimitRuleList = z.infer<typeof LimitRuleList>

/** A counter with something on it. */
const LimitUse = z.object({
  rule: z
    .string()
    .describe("Id of the rule; `principal` and `tenant` are the deployment's own limits."),
  name: z.string(),
  partition: z
    .partialRecord(z.enum(LIMIT_DIMENSIONS), z.string())
    .describe('Whose counter it is, as far as the rule tells them apart.'),
  limit: z.number(),
  window: z.union([z.enum(['day', 'month']), z.number()]).describe('A number is ms, and slides.'),
  used: z.number().describe('Spent, or leased to isolates that may spend it.'),
})

/** What is used now, the fullest counters first. */
export const LimitUsage = z.object({
  counters: z.array(LimitUse),
  isCut: z.boolean().describe('More counters than are shown are in use.'),
})
export type LimitUsage = z.infer<typeof LimitUsage>

/** A rule and when it was written. Epoch ms. */
export interface StoredLimitRule {
  readonly rule: LimitRule
  readonly createdAt: number
  readonly updatedAt: number
}

/** As the API shows it. */
export function limitRuleOutOf({ rule, createdAt, updatedAt }: StoredLimitRule): LimitRuleOut {
  return {
    ...rule,
    createdAt: new Date(createdAt).toISOString(),
    updatedAt: new Date(updatedAt).toISOString(),
  }
}
