import { z } from 'zod'
import { type Clock, GatewayError, type Principal, type Sealer } from '../../core/index.ts'

/** Whom a task was given to, and at which endpoint and server. */
export interface TaskOf {
  readonly principal: Principal
  /** Path of the endpoint, and the id of the server behind it. */
  readonly target: readonly [endpoint: string, server: string]
}

/** A task as its server knows it, and the server's own name of the tool that became it. */
export interface Task {
  readonly id: string
  readonly tool: string
}

/**
 * Ids of tasks: a client holds the server's own sealed. Many principals share what the gateway is to
 * a server, so only the seal says whose task it is (SEP-2663, Auth binding; DESIGN.md, Decision 5).
 */
export interface TaskIds {
  /** Text of visible ASCII. Throws `upstream_failed` for an id too long to be a header. */
  seal(of: TaskOf, task: Task): Promise<string>
  /** Undefined for what was not given to this principal there, is altered or too old. */
  open(of: TaskOf, sealed: unknown): Promise<Task | undefined>
}

/** Clients may keep ids for as long as servers keep tasks; none is kept longer. */
const TASK_ID_TTL_MS = 30 * 24 * 60 * 60_000
/** It travels in a header, sealed and encoded. */
const MAX_TASK_ID_CHARS = 1_024
/** Of what was sealed. */
const MAX_SEALED_TASK_CHARS = 8_192

const Sealed = z.object({ id: z.string(), tool: z.string() })

/** @see TaskIds */
export function createTaskIds(deps: { readonly sealer: Sealer; readonly clock: Clock }): TaskIds {
  return {
    async seal(of, task) {
      if (task.id.length > MAX_TASK_ID_CHARS) {
        throw new GatewayError('upstream_failed', 'The server gave a task whose id is too long.')
      }
      const expiresAt = deps.clock.now() + TASK_ID_TTL_MS
      return deps.sealer.seal('task', bindingOf(of), { ...task }, expiresAt)
    },

    async open(of, sealed) {
      if (typeof sealed !== 'string' || sealed.length > MAX_SEALED_TASK_CHARS) return undefined
      return Sealed.safeParse(await deps.sealer.open('task', bindingOf(of), sealed)).data
    },
  }
}

function bindingOf({ principal, target }: TaskOf): string[] {
  return [principal.tenant, principal.key, ...target]
}
