import type { RegistryVerbs } from '../registry.ts'
import { answerBy, body, gone, path, type RestHandler } from '../rest-input.ts'
import type { LIMIT_ROUTES } from './limit-rule-route-definitions.ts'

/** Answers the routes of limit rules. */
export function limitHandlers(
  verbs: RegistryVerbs,
): Record<keyof typeof LIMIT_ROUTES, RestHandler> {
  return {
    createLimitRule: answerBy(verbs.createLimitRule, [body], (made, { url }) => {
      const location = `${new URL(url).pathname.replace(/\/$/, '')}/${made.id}`
      return Response.json(made, { status: 201, headers: { location } })
    }),
    listLimitRules: answerBy(verbs.listLimitRules, []),
    limitUsage: answerBy(verbs.limitUsage, []),
    getLimitRule: answerBy(verbs.getLimitRule, [path]),
    replaceLimitRule: answerBy(verbs.replaceLimitRule, [path, body]),
    patchLimitRule: answerBy(verbs.patchLimitRule, [path, body]),
    deleteLimitRule: answerBy(verbs.deleteLimitRule, [path], gone),
  }
}
