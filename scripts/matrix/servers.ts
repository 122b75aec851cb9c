import type { Era } from './upstreams/upstream.ts'

/** The names under which the upstreams are registered. */
export const SERVERS: Readonly<Record<Era, string>> = {
  legacy: 'legacy-only',
  modern: 'modern-only',
}
