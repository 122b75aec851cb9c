/** Kinds of one place that take turns: requests of some clients, answers of some servers. */
const KEPT = 8

/**
 * Keeps the last few objects that came by a place where each call has one, and none outlives its call.
 *
 * V8 forgets how objects are laid out as soon as none of them is alive while it marks its heap, and
 * throws the code away that it compiled for them: so a gateway whose calls were over ran the most of
 * each next call uncompiled, after every such collection (docs/performance.md). Literals are laid out
 * by the code that they stand in and need this not; objects that were parsed or grown do.
 */
export function createLayoutKeeper(): (object: object) => void {
  const kept: object[] = []
  let next = 0
  return (object) => {
    kept[next] = object
    next = (next + 1) % KEPT
  }
}
