import { isPlainObject } from '../../core/index.ts'

/**
 * Of what a client declares, what the gateway carries from one era to the other. Each client declares
 * one of a few such sets, however much else it writes: what is kept by them stays bounded.
 */
export function carriedCapabilities(declared: unknown): Readonly<Record<string, unknown>> {
  if (!isPlainObject(declared)) return {}
  return Object.fromEntries(
    Object.entries(CARRIED).flatMap(([name, parts]) => {
      const value = declared[name]
      if (!isPlainObject(value)) return []
      const kept = parts.filter((part) => isPlainObject(value[part]))
      return [[name, Object.fromEntries(kept.map((part) => [part, {}]))]]
    }),
  )
}

/** MCP 2025-11-25 and 2026-07-28, client capabilities. Tasks and extensions stay within their era. */
const CARRIED: Readonly<Record<string, readonly string[]>> = {
  elicitation: ['form', 'url'],
  sampling: ['context', 'tools'],
  roots: [],
}
