import { type CallContext, GatewayError, isPlainObject } from '../../core/index.ts'
import { decide } from '../../policy/index.ts'
import type { IndexedServer } from '../../registry/index.ts'
import { negotiatedVersion } from '../messages.ts'
import type { OwnTools } from '../own-tools/index.ts'
import { helloOf, type Sessions } from '../session/sessions.ts'
import { type Behind, discoverResult, initializeResult } from './hello.ts'
import type { LocalAnswer, SharedRequest } from './shared-request.ts'

export interface HelloDeps {
  readonly sessions: Sessions
  readonly ownTools: OwnTools
}

/** How a shared endpoint says what it is: the gateway itself answers, no server is asked. */
export function createHello({ sessions, ownTools }: HelloDeps) {
  async function behind(ctx: CallContext, request: SharedRequest): Promise<Behind> {
    const { endpoint, actor, snapshot } = request
    const servers = endpoint.kind === 'own' ? [] : await snapshot.index(ctx)
    return {
      endpoint,
      actor,
      servers: servers.filter((server) => takesPart(request, server)),
      hasOwnTools: endpoint.kind !== 'virtual' && ownTools.list(actor).length > 0,
    }
  }

  return {
    /** `server/discover`. */
    async discover(ctx: CallContext, request: SharedRequest): Promise<LocalAnswer> {
      return { result: JSON.stringify(discoverResult(await behind(ctx, request))) }
    },

    /** `initialize`: opens the client's session, and no upstream session yet. */
    async initialize(ctx: CallContext, request: SharedRequest): Promise<LocalAnswer> {
      const { params } = request.inbound
      const version = negotiatedVersion(params['protocolVersion'])
      const hello = helloOf(withoutTasks({ ...params, protocolVersion: version }))
      if (!hello) {
        throw new GatewayError('invalid_params', 'The capabilities are larger than is accepted.')
      }
      const result = initializeResult(await behind(ctx, request), version)
      const session = { kind: 'shared', key: ctx.random.uuid(), hello } as const
      const { endpoint, actor } = request
      const id = await sessions.seal(actor.principal, endpoint.path, session)
      return { result: JSON.stringify(result), headers: { 'mcp-session-id': id } }
    },
  }
}

function takesPart({ endpoint, actor }: SharedRequest, server: IndexedServer): boolean {
  if (
    endpoint.kind === 'virtual' &&
    !endpoint.virtual.items.some((it) => it.server === server.path)
  )
    return false
  return decide(actor, server, 'initialize').kind === 'allow'
}

/** Tasks of 2025-11-25 are of one server and its session: no server here must make any. */
function withoutTasks(params: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { capabilities } = params
  if (!isPlainObject(capabilities)) return params
  const { tasks: _, ...rest } = capabilities
  return { ...params, capabilities: rest }
}
