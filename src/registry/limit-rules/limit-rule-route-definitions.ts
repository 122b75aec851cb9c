import { createRoute, z } from '@hono/zod-openapi'
import { answer, body, common, NoQuery, named, posted, problem, refused } from '../../http/index.ts'
import { LimitRuleInput, LimitRulePatch } from '../../limits/index.ts'
import { LimitRuleList, LimitRuleOut, LimitUsage } from './limit-rule-views.ts'

const Rule = named('LimitRule', LimitRuleOut)
const NewRule = named('LimitRuleInput', LimitRuleInput)
const ID = z.object({ id: z.string().describe('As the list and the answer to POST give it.') })
const missing = { 404: problem('No such limit.') }
const changed = {
  ...refused,
  ...posted,
  409: problem('The name is taken, there are 100 limits, or it was changed meanwhile.'),
}

/** The REST surface of limit rules, relative to where it is mounted. */
export const LIMIT_ROUTES = {
  createLimitRule: createRoute({
    ...common,
    method: 'post',
    path: '/limits',
    operationId: 'createLimitRule',
    summary: 'Add a rate limit or a quota; it takes effect everywhere within 5 s',
    request: { query: NoQuery, body: body(NewRule) },
    responses: { 201: answer('Added.', Rule), ...changed },
  }),
  listLimitRules: createRoute({
    ...common,
    method: 'get',
    path: '/limits',
    operationId: 'listLimitRules',
    summary: 'List the rate limits and quotas by name',
    request: { query: NoQuery },
    responses: { 200: answer('All of them.', named('LimitRuleList', LimitRuleList)), ...refused },
  }),
  // Before the routes of one: `usage` is no id.
  limitUsage: createRoute({
    ...common,
    method: 'get',
    path: '/limits/usage',
    operationId: 'limitUsage',
    summary: 'Show what is used now, the fullest counters first',
    request: { query: NoQuery },
    responses: {
      200: answer('The counters.', named('LimitUsage', LimitUsage)),
      ...refused,
      503: problem('The limiter cannot be asked.'),
    },
  }),
  getLimitRule: createRoute({
    ...common,
    method: 'get',
    path: '/limits/{id}',
    operationId: 'getLimitRule',
    summary: 'Show a limit',
    request: { params: ID, query: NoQuery },
    responses: { 200: answer('The limit.', Rule), ...refused, ...missing },
  }),
  replaceLimitRule: createRoute({
    ...common,
    method: 'put',
    path: '/limits/{id}',
    operationId: 'replaceLimitRule',
    summary: 'Replace a limit; what is used stays used unless its window changes',
    request: { params: ID, query: NoQuery, body: body(NewRule) },
    responses: { 200: answer('Replaced.', Rule), ...changed, ...missing },
  }),
  patchLimitRule: createRoute({
    ...common,
    method: 'patch',
    path: '/limits/{id}',
    operationId: 'patchLimitRule',
    summary: 'Change members of a limit',
    request: { params: ID, query: NoQuery, body: body(named('LimitRulePatch', LimitRulePatch)) },
    responses: { 200: answer('Changed.', Rule), ...changed, ...missing },
  }),
  deleteLimitRule: createRoute({
    ...common,
    method: 'delete',
    path: '/limits/{id}',
    operationId: 'deleteLimitRule',
    summary: 'Delete a limit',
    request: { params: ID, query: NoQuery },
    responses: { 204: { description: 'Deleted.' }, ...refused, ...missing },
  }),
}
