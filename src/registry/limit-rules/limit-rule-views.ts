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
  /** Id of the rule; `principal` and `tenant` are the deployment's own limits. */
  rule: z.string(),
  name: z.string(),
  /** Whose counter it is, as far as the rule tells them apart. */
  partition: z.partialRecord(z.enum(LIMIT_DIMENSIONS), z.string()),
  limit: z.number(),
  window: z.union([z.enum(['day', 'month']), z.number()]),
  /** Leased to isolates or spent. */
  used: z.number(),
})

/** What is used now, the fullest counters first. */
export const LimitUsage = z.object({
  counters: z.array(LimitUse),
  /** More counters than are shown. */
  isCut: z.boolean(),
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
