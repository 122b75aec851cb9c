/** Any JSON object, of which nothing is known yet. */
export type Json = Readonly<Record<string, unknown>>

/** One JSON-RPC message as it stood on the wire. */
export type Message = Json

/** What stands at the path; undefined where the path leads nowhere. */
export function dig(value: unknown, ...path: readonly (string | number)[]): unknown {
  let found = value
  for (const step of path) {
    if (typeof found !== 'object' || found === null) return undefined
    found = (found as Readonly<Record<string | number, unknown>>)[step]
  }
  return found
}

/** The object at the path; an empty one where there is none. */
export function digObject(value: unknown, ...path: readonly (string | number)[]): Json {
  const found = dig(value, ...path)
  return isJson(found) ? found : {}
}

/** The list at the path; an empty one where there is none. */
export function digList(value: unknown, ...path: readonly (string | number)[]): readonly unknown[] {
  const found = dig(value, ...path)
  return Array.isArray(found) ? found : []
}

/** Without these members. */
export function without(value: Json, ...names: readonly string[]): Json {
  return Object.fromEntries(Object.entries(value).filter(([name]) => !names.includes(name)))
}

export function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The messages of a body; none when it is no JSON. */
export function messagesIn(body: string): Message[] {
  try {
    const parsed: unknown = JSON.parse(body)
    return (Array.isArray(parsed) ? parsed : [parsed]).filter(isJson)
  } catch {
    return []
  }
}
