import { GatewayError } from '../../core/index.ts'
import { type Decision, insufficientScope } from '../../policy/index.ts'

/**
 * What a denial reads like to who asked: like something unknown, in the words of the surface
 * (DESIGN.md, Decision 7).
 */
export type DenialWords = Readonly<
  Record<Exclude<Decision['kind'], 'allow' | 'insufficient_scope'>, () => GatewayError>
>

/** Passes what the policy allows. Throws `insufficient_scope`, and what the words say. */
export function requireAllowed(decision: Decision, words: DenialWords): void {
  if (decision.kind === 'allow') return
  throw decision.kind === 'insufficient_scope'
    ? insufficientScope(decision.scope)
    : words[decision.kind]()
}

/** MCP's word for a tool that is missing, hidden or denied. */
export function unknownTool(name: string): GatewayError {
  return new GatewayError('unknown_tool', `Unknown tool: ${name.slice(0, 128)}`)
}
