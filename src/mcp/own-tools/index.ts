import {
  type CallContext,
  ERROR_WIRE,
  type ErrorCode,
  type GatewayError,
  isPlainObject,
  toGatewayError,
} from '../../core/index.ts'
import {
  type Actor,
  canPermission,
  decide,
  type Permission,
  requirePermission,
  type Target,
  toolFilter,
} from '../../policy/index.ts'
import { requireAllowed, unknownTool } from '../relay/require-allowed.ts'
import { healthCheckTool } from './health-check.ts'
import { listServersTool } from './list-servers.ts'
import type { OwnTool, OwnToolDefinition, OwnToolDeps, OwnToolOutcome } from './own-tool.ts'
import { proxyRequestTool } from './proxy-request.ts'
import { registerServerTool } from './register-server.ts'
import { toggleServerTool } from './toggle-server.ts'

export { createProxyRequest } from './proxy.ts'

/** The gateway's own tools, which manage it and reach any of its servers. */
export interface OwnTools {
  /** What this actor is offered, always in the same order. */
  list(actor: Actor): readonly OwnToolDefinition[]
  /**
   * A CallToolResult. What the caller can repair is one with `isError`. Throws `unknown_tool` for a
   * tool that is not offered, and `insufficient_scope`.
   */
  call(
    ctx: CallContext,
    actor: Actor,
    name: string,
    args: unknown,
  ): Promise<Record<string, unknown>>
}

/** A tool is a file and a row. */
const TABLE: readonly ((deps: OwnToolDeps) => OwnTool)[] = [
  listServersTool,
  registerServerTool,
  toggleServerTool,
  proxyRequestTool,
  healthCheckTool,
]

/** What grants call the gateway itself, as S-B does. */
const MCPGW: Target = { path: 'mcpgw', owner: '', visibility: 'public', allowedGroups: [] }

/** @see OwnTools */
export function createOwnTools(deps: OwnToolDeps): OwnTools {
  const tools = TABLE.map((make) => make(deps))

  return {
    list(actor) {
      const shows = toolFilter(actor, MCPGW)
      return tools
        .filter((tool) => (shows === 'all' || shows(tool.name)) && isOffered(actor, tool))
        .map((tool) => tool.definition())
    },

    async call(ctx, actor, name, args) {
      requireCall(actor, name)
      const tool = tools.find((one) => one.name === name)
      if (!tool) throw unknownTool(name)
      if (tool.permission) requireOffer(actor, name, tool.permission)
      try {
        return resultOf(await tool.run(ctx, actor, args))
      } catch (thrown) {
        const error = toGatewayError(thrown)
        if (!REPAIRABLE.has(error.code)) throw thrown
        ctx.facts.outcome = 'tool_error'
        return failureOf(error)
      }
    },
  }
}

function isOffered(actor: Actor, { name, permission }: OwnTool): boolean {
  return permission
    ? canPermission(actor, permission)
    : decide(actor, MCPGW, 'tools/call', name).kind === 'allow'
}

function requireCall(actor: Actor, name: string): void {
  const unknown = () => unknownTool(name)
  requireAllowed(decide(actor, MCPGW, 'tools/call', name), {
    ...{ unknown_server: unknown, unknown_method: unknown, unknown_tool: unknown },
  })
}

/** Throws `insufficient_scope` when the groups allow what the token does not. */
function requireOffer(actor: Actor, name: string, permission: Permission): void {
  try {
    requirePermission(actor, permission)
  } catch (thrown) {
    throw toGatewayError(thrown).code === 'forbidden' ? unknownTool(name) : thrown
  }
}

/** Errors that a model can do something about: it reads them as a result. */
const REPAIRABLE: ReadonlySet<ErrorCode> = new Set([
  'invalid_params',
  'invalid_request',
  'invalid_cursor',
  'parse_error',
  'unsupported_version',
  'forbidden',
  'not_found',
  'method_not_found',
  'unknown_tool',
  'conflict',
  'body_too_large',
  'upstream_unreachable',
  'upstream_failed',
  'upstream_unavailable',
  'no_capacity',
  'upstream_timeout',
])

function resultOf({ output, isError }: OwnToolOutcome): Record<string, unknown> {
  return {
    content: [{ type: 'text', text: JSON.stringify(output) }],
    structuredContent: output,
    isError: isError === true,
  }
}

function failureOf({ code, message, detail }: GatewayError): Record<string, unknown> {
  const { problems } = detail.data ?? {}
  const lines = [
    message,
    ...(Array.isArray(problems) && problems.length > 1 ? problems.map(problemLine) : []),
    detail.fix ?? ERROR_WIRE[code].fix,
    `(${code})`,
  ]
  return { content: [{ type: 'text', text: lines.join('\n') }], isError: true }
}

function problemLine(problem: unknown): string {
  return isPlainObject(problem) ? `- ${problem['path']}: ${problem['message']}` : ''
}
