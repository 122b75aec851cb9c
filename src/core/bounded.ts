/** Sets the entry as the youngest, and forgets the oldest past the bound. */
export function setBounded<K, V>(map: Map<K, V>, key: K, value: V, bound: number): void {
  map.delete(key)
  map.set(key, value)
  if (map.size <= bound) return
  const [oldest] = map.keys()
  if (oldest !== undefined) map.delete(oldest)
}
