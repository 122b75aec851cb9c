/**
 * Sets the entry as the youngest, and forgets the oldest past the bound. Nothing is forgotten for long
 * while the map is less than half full, and there an entry keeps its place: whoever is used after that
 * is younger than whoever is not, and to move one makes V8 lay the map out anew every few times.
 */
export function setBounded<K, V>(map: Map<K, V>, key: K, value: V, bound: number): void {
  if (map.size * 2 > bound) map.delete(key)
  map.set(key, value)
  if (map.size <= bound) return
  const [oldest] = map.keys()
  if (oldest !== undefined) map.delete(oldest)
}
