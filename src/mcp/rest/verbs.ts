import type { Sealer } from '../../core/index.ts'
import type { Snapshots } from '../../registry/index.ts'
import type { Ask } from '../ask/ask.ts'
import { createRestSessions, type RestSessionObject } from './sessions.ts'
import { createCallTool } from './verbs/call-tool.ts'
import { createConnect } from './verbs/connect.ts'
import { createDisconnect } from './verbs/disconnect.ts'
import { createListItems } from './verbs/list-items.ts'
import { createReadResource } from './verbs/read-resource.ts'
import { createShowSession } from './verbs/show-session.ts'

/** The verbs of REST sessions. */
export function createRestVerbs(options: {
  readonly ask: Ask
  readonly snapshots: Pick<Snapshots, 'tenant'>
  readonly sealer: Sealer
  readonly object: (name: string) => RestSessionObject
}) {
  const { ask, snapshots, sealer, object } = options
  const deps = { ask, snapshots, sessions: createRestSessions({ sealer, object }) }
  return {
    connect: createConnect(deps),
    showSession: createShowSession(deps),
    callTool: createCallTool(deps),
    readResource: createReadResource(deps),
    disconnect: createDisconnect(deps),
    ...createListItems(deps),
  }
}

export type RestVerbs = ReturnType<typeof createRestVerbs>
