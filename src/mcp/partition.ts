/** Upstreams are spoken to with the server's own credentials; there are no others yet. */
const SHARED = 'shared'

/**
 * Name of an object that holds what is of one server, or of one endpoint, and of one credential
 * partition: `{id}/{partition}`.
 */
export function partitionOf(id: string): string {
  return `${id}/${SHARED}`
}
