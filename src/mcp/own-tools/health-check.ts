import { z } from 'zod'
import { type ErrorCode, toGatewayError } from '../../core/index.ts'
import { type OwnToolDeps, ownTool } from './own-tool.ts'
import { ServerName } from './views.ts'

const Output = z.object({
  server: z.string(),
  reachable: z.boolean().describe('Whether the server answered now.'),
  error: z.string().nullable().describe('Why it did not.'),
  health: z
    .string()
    .describe('healthy, unhealthy or unknown: takes several checks to change after a failure.'),
  endpoints: z.array(
    z.object({
      id: z.string(),
      health: z.string(),
      consecutiveFailures: z.number(),
      lastLatencyMs: z.number().nullable(),
      lastProbedAt: z.string().nullable(),
      lastError: z.string().nullable(),
    }),
  ),
})

/** What a check finds out, rather than fails by. */
const FINDINGS: ReadonlySet<ErrorCode> = new Set([
  'upstream_unreachable',
  'upstream_failed',
  'upstream_timeout',
])

/** `health_check`: a live probe by the verbs behind REST's refresh and health. */
export const healthCheckTool = ({ verbs }: Pick<OwnToolDeps, 'verbs'>) =>
  ownTool({
    name: 'health_check',
    permission: 'health_check_service',
    title: 'Check the health of a server',
    description:
      'Connects to a registered server now, as POST /api/v1/servers/{path}/refresh does: asks it again what it offers and stores the answer. Then gives what GET /api/v1/servers/{path}/health shows. A server that does not answer is a result with `reachable` false, not an error.',
    input: z.strictObject({ server: ServerName }),
    output: Output,
    annotations: {
      readOnlyHint: false,
      destructiveHint: false,
      idempotentHint: true,
      openWorldHint: true,
    },
    async run(ctx, actor, { server }) {
      let error: string | null = null
      try {
        await verbs.refreshServer(ctx, actor, server)
      } catch (thrown) {
        const { code, message } = toGatewayError(thrown)
        if (!FINDINGS.has(code)) throw thrown
        error = message
      }
      const { health, endpoints } = await verbs.serverHealth(ctx, actor, server)
      return { output: { server, reachable: error === null, error, health, endpoints } }
    },
  })
