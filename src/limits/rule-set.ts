import type { Principal } from '../core/index.ts'
import type { LimitDimension, LimitRule } from './rules.ts'

/** What a message is for, once that is known and allowed. */
export interface LimitTarget {
  /** Path of the server, or of the gateway's own endpoint that answers. */
  readonly server: string
  readonly method: string
  /** The server's own name of a tool that it has; '?' for one that it has not. */
  readonly tool?: string
}

/** A tenant's rules, sorted by when they can be judged. Compiled once per snapshot. */
export interface RuleSet {
  /** Those about the caller alone. */
  readonly arriving: readonly LimitRule[]
  /** Those that name a server, a tool or a method. */
  readonly targeted: readonly LimitRule[]
  /** The principal's part of what it shares with others. */
  weightOf(principal: Principal): number
}

/** Compiles the enabled rules. */
export function compileRules(rules: readonly LimitRule[]): RuleSet {
  const enabled = rules.filter((rule) => rule.enabled)
  const weighing = enabled.filter(({ weight }) => weight !== undefined)
  return {
    arriving: enabled.filter((rule) => !needsTarget(rule)),
    targeted: enabled.filter(needsTarget),
    weightOf(principal) {
      const weights = weighing
        .filter((rule) => matchesCaller(rule, principal))
        .map(({ weight = 1 }) => weight)
      return weights.length === 0 ? 1 : Math.max(...weights)
    },
  }
}

/** Of a tenant without rules. */
export const NO_RULES: RuleSet = compileRules([])

function needsTarget({ match, per }: LimitRule): boolean {
  return (
    match.servers !== undefined ||
    match.tools !== undefined ||
    match.methods !== undefined ||
    per.includes('server') ||
    per.includes('tool')
  )
}

/** Whether the rule is about this caller. */
export function matchesCaller({ match }: LimitRule, principal: Principal): boolean {
  const { principals, groups } = match
  if (principals !== undefined && !principals.includes(principal.key)) return false
  return groups === undefined || groups.some((group) => principal.groups.includes(group))
}

/** Whether the rule is about this target. One by tool is about calls of tools alone. */
export function matchesTarget({ match, per }: LimitRule, target: LimitTarget): boolean {
  const { servers, tools, methods } = match
  if (servers !== undefined && !servers.includes(target.server)) return false
  if (methods !== undefined && !matchesName(methods, target.method)) return false
  if (target.tool === undefined) return tools === undefined && !per.includes('tool')
  return tools === undefined || matchesName(tools, target.tool)
}

function matchesName(patterns: readonly string[], name: string): boolean {
  return patterns.some((pattern) =>
    pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern,
  )
}

/** The values that tell the rule's counters apart, in the order of its dimensions. */
export function partitionOf(
  { per }: Pick<LimitRule, 'per'>,
  principal: Principal,
  target: LimitTarget | undefined,
): Partial<Record<LimitDimension, string>> {
  return {
    ...(per.includes('principal') && { principal: principal.key }),
    ...(per.includes('key') && { key: clientOf(principal) }),
    ...(per.includes('server') && { server: target?.server ?? '' }),
    ...(per.includes('tool') && { tool: target?.tool ?? '' }),
  }
}

/**
 * The key that a call was made with: the OAuth client of its token (RFC 9068 section 2.2; `azp` of
 * OpenID Connect), which its issuer vouches for. A credential without one stands for its principal.
 */
function clientOf({ claims, issuer, key }: Principal): string {
  const client = claims['client_id'] ?? claims['azp']
  return typeof client === 'string' && client !== '' ? `${issuer}#client:${client}` : key
}
