import type { RegistryVerbs } from '../registry.ts'
import { answerBy, path, query, type RestHandler } from '../rest-input.ts'
import type { SERVICE_ROUTES } from './service-route-definitions.ts'

/** Answers the routes of the service list. */
export function serviceHandlers(
  verbs: RegistryVerbs,
): Record<keyof typeof SERVICE_ROUTES, RestHandler> {
  return {
    listServices: answerBy(verbs.listServices, [query]),
    getService: answerBy(verbs.getService, [path]),
    serviceHealth: answerBy(verbs.serviceHealth, [path]),
  }
}
