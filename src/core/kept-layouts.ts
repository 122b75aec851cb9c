/** Kinds of one place that take turns: requests of some clients, answers of some servers. */
const KEPT = 8
/** A layout is that of a small message as well, and what is kept is a message's all. */
const MAX_CHARS = 4_096

/**
 * Keeps the last few messages that came by a place where each call has one and none outlives its call.
 * `chars`: what it was parsed of; one of more than 4,096 is not kept.
 *
 * V8 forgets how objects are laid out as soon as none of them is alive while it marks its heap, and
 * throws the code away that it compiled for them: the most of a call ran uncompiled after each such
 * collection (docs/performance.md). Objects that our code writes as literals are laid out by that
 * code, and need this not.
 */
export function createLayoutKeeper(): (message: object, chars: number) => void {
  const kept: object[] = []
  let next = 0
  return (message, chars) => {
    if (chars > MAX_CHARS) return
    kept[next] = message
    next = (next + 1) % KEPT
  }
}
