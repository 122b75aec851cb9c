/** Sets the entry as the youngest, and forgets the oldest past the bound. */
export function setBounded<K, V>(map: Map<K, V>, key: K, value: V, bound: number): void {
  map.delete(key)
  map.set(key, value)
  const [oldest] = map.keys()
  if (map.size > bound && oldest !== undefined) map.delete(oldest)
}
