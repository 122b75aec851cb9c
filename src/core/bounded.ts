/**
 * Sets the entry as the youngest, and forgets the oldest past the bound. In a map that is less than half
 * full an entry keeps its place, since to move one makes V8 lay the map out anew every few times. What
 * is used from then on is moved, so that by the time the map is full it stands behind what is not.
 */
export function setBounded<K, V>(map: Map<K, V>, key: K, value: V, bound: number): void {
  if (map.size * 2 > bound) map.delete(key)
  map.set(key, value)
  if (map.size <= bound) return
  const [oldest] = map.keys()
  if (oldest !== undefined) map.delete(oldest)
}
