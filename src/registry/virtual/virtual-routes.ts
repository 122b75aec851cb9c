import type { RegistryVerbs } from '../registry.ts'
import {
  answerBy,
  body,
  created,
  gone,
  optionalBody,
  path,
  query,
  type RestHandler,
} from '../rest-input.ts'
import type { VIRTUAL_ROUTES } from './virtual-route-definitions.ts'

/** Answers the routes of virtual servers. */
export function virtualHandlers(
  verbs: RegistryVerbs,
): Record<keyof typeof VIRTUAL_ROUTES, RestHandler> {
  return {
    createVirtualServer: answerBy(verbs.createVirtualServer, [body], created),
    listVirtualServers: answerBy(verbs.listVirtualServers, [query]),
    getVirtualServer: answerBy(verbs.getVirtualServer, [path]),
    replaceVirtualServer: answerBy(verbs.replaceVirtualServer, [path, body]),
    patchVirtualServer: answerBy(verbs.patchVirtualServer, [path, body]),
    deleteVirtualServer: answerBy(verbs.deleteVirtualServer, [path], gone),
    toggleVirtualServer: answerBy(verbs.toggleVirtualServer, [path, optionalBody]),
    repinVirtualServer: answerBy(verbs.repinVirtualServer, [path, optionalBody]),
  }
}
