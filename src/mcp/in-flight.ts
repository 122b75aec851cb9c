import type { RawId } from './wire/reply.ts'

/** Which upstream id stands for a client's id while its request runs, so that a cancel finds it. */
export interface InFlight {
  /** Returns the function that forgets the pair. */
  add(scope: string, clientId: RawId, upstreamId: RawId): () => void
  find(scope: string, clientId: RawId): RawId | undefined
}

/** Requests of this isolate only. Ids may repeat (claude.ai sends `1` each time): newest first. */
export function createInFlight(): InFlight {
  const running = new Map<string, RawId[]>()
  return {
    add(scope, clientId, upstreamId) {
      const key = keyOf(scope, clientId)
      running.set(key, [upstreamId, ...(running.get(key) ?? [])])
      return () => {
        const rest = (running.get(key) ?? []).filter((id) => id !== upstreamId)
        if (rest.length > 0) running.set(key, rest)
        else running.delete(key)
      }
    },
    find: (scope, clientId) => running.get(keyOf(scope, clientId))?.[0],
  }
}

/** A cancel may spell the id in another way than the request did (`"\\u00fc"` is `"ü"`). */
function keyOf(scope: string, clientId: RawId): string {
  return `${scope}\n${JSON.stringify(JSON.parse(clientId))}`
}
