/** Rank 1: what the gateway tells its operators. */
export { auditStatements, type ChangeEntry, type WriteContext } from './audit.ts'
export { createEvents, type Events, emitFault, type GatewayEvent } from './events.ts'
export { tenants } from './tables.ts'
