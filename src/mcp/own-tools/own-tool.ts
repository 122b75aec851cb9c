import { z } from 'zod'
import { type CallContext, parseInput } from '../../core/index.ts'
import type { Actor, Permission } from '../../policy/index.ts'
import type { RegistryVerbs } from '../../registry/index.ts'
import type { FindServer } from '../routing/find-server.ts'
import type { ProxyRequest } from './proxy.ts'

/** A Tool object of MCP. */
export interface OwnToolDefinition {
  readonly name: string
  readonly title: string
  readonly description: string
  /** JSON Schema 2020-12. */
  readonly inputSchema: Readonly<Record<string, unknown>>
  readonly outputSchema: Readonly<Record<string, unknown>>
  readonly annotations: Annotations
}

/** What a tool does to the world (MCP 2026-07-28, Tools, ToolAnnotations). */
interface Annotations {
  readonly readOnlyHint: boolean
  readonly destructiveHint: boolean
  readonly idempotentHint: boolean
  /** It talks to servers outside the gateway. */
  readonly openWorldHint: boolean
}

/** What the tools do their work with: the verbs that REST calls. */
export interface OwnToolDeps {
  readonly verbs: Pick<
    RegistryVerbs,
    'listServers' | 'registerServer' | 'toggleServer' | 'refreshServer' | 'serverHealth'
  >
  readonly proxyRequest: ProxyRequest
  readonly findServer: FindServer
}

/** What a tool gives: an object of its output schema, and whether it tells of a failure. */
export interface OwnToolOutcome<T = Record<string, unknown>> {
  readonly output: T
  readonly isError?: boolean
}

/** One of the gateway's own tools. */
export interface OwnTool {
  readonly name: string
  /** Who holds it on anything is offered the tool; without one, who may call the tool. */
  readonly permission?: Permission
  definition(): OwnToolDefinition
  /** Throws `invalid_params`, and what the verb throws. */
  run(ctx: CallContext, actor: Actor, args: unknown): Promise<OwnToolOutcome>
}

interface ToolSpec<I extends z.ZodType, O extends z.ZodObject> {
  readonly name: string
  readonly permission?: Permission
  readonly title: string
  /** Written for a model. */
  readonly description: string
  readonly input: I
  /** What a verb gives besides is left out. */
  readonly output: O
  readonly annotations: Annotations
  run(ctx: CallContext, actor: Actor, args: z.output<I>): Promise<OwnToolOutcome<object>>
}

/** A tool from its parts; its JSON Schemas are made when first asked for. */
export function ownTool<I extends z.ZodType, O extends z.ZodObject>(spec: ToolSpec<I, O>): OwnTool {
  const { name, permission, title, description, annotations } = spec
  let definition: OwnToolDefinition | undefined
  return {
    name,
    ...(permission === undefined ? {} : { permission }),
    definition() {
      definition ??= {
        ...{ name, title, description },
        inputSchema: z.toJSONSchema(spec.input, { io: 'input' }),
        outputSchema: z.toJSONSchema(spec.output, { io: 'output' }),
        annotations,
      }
      return definition
    },
    async run(ctx, actor, args) {
      const { output, ...rest } = await spec.run(ctx, actor, parseInput(spec.input, args ?? {}))
      return { ...rest, output: spec.output.parse(output) }
    },
  }
}
