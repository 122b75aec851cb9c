import type { NameTranslation } from '../answer/answer-rules.ts'
import { exposedId, exposedTask, exposedUri } from './naming.ts'

/** How what a server names looks to the clients of a shared endpoint. */
export function namesOf(server: string): NameTranslation {
  return {
    uri: (original) => exposedUri(server, original),
    taskId: (sealed) => exposedTask(server, sealed),
    serverRequestId: (raw) => exposedId(server, raw),
    progressToken: (raw) => exposedId(server, raw),
  }
}
