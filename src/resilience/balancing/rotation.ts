import { type EndpointId, type ServerId, setBounded } from '../../core/index.ts'

/** Whose turn it is at one server, by the calls of this isolate; two algorithms write in it. */
export interface Rotation {
  /** By `weighted`: how much of its share each endpoint has not got yet. */
  readonly owed: Map<EndpointId, number>
  /** By `round-robin`: when each had its last turn, counted in turns. */
  readonly turns: Map<EndpointId, number>
}

/** The rotations of an isolate's servers. */
export interface Rotations {
  of(server: ServerId): Rotation
}

/** Servers whose turns an isolate remembers; one that was forgotten starts anew. */
const MAX_SERVERS = 2_000
/** A server has 10 endpoints; the ids of earlier ones must not pile up. */
const MAX_ENDPOINTS = 50

/** @see Rotation */
export function createRotation(): Rotation {
  return { owed: new Map(), turns: new Map() }
}

/** @see Rotations */
export function createRotations(): Rotations {
  const rotations = new Map<ServerId, Rotation>()
  return {
    of(server) {
      const known = rotations.get(server)
      if (known) return known
      const rotation = createRotation()
      setBounded(rotations, server, rotation, MAX_SERVERS)
      return rotation
    },
  }
}

/** Forgets endpoints that are long gone, all others with them. */
export function bound(turns: Map<EndpointId, number>): void {
  if (turns.size > MAX_ENDPOINTS) turns.clear()
}
