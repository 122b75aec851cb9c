import { fnv1a } from '../../core/index.ts'

/**
 * How the things of many servers are named on one endpoint (DESIGN.md, Decision 7): always with the
 * server in front, so that no name changes because a second server appeared. Pure functions; a name
 * that was altered is found again by altering the candidates.
 */

/** The first one splits: no server's name holds an underscore. */
const SEPARATOR = '__'
/** What every known client takes as a tool's name, its own `mcp__` prefix aside. */
const MAX_NAME_CHARS = 64
const PLAIN = /^[A-Za-z0-9_-]+$/
const HASH_CHARS = 8

/** `{server}__{name}`; cut or altered to 64 of `[A-Za-z0-9_-]` it ends in a hash of the name. */
export function exposedName(server: string, name: string): string {
  const whole = `${server}${SEPARATOR}${name}`
  if (PLAIN.test(name) && whole.length <= MAX_NAME_CHARS) return whole
  const hash = fnv1a(name).toString(16).padStart(HASH_CHARS, '0')
  const kept = whole.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, MAX_NAME_CHARS - HASH_CHARS - 1)
  return `${kept}_${hash}`
}

/** An exposed name taken apart; undefined for one without a server. */
export interface SplitName {
  readonly server: string
  /** The upstream's own name, unless it was altered. */
  readonly name: string
}

/** @see SplitName */
export function splitName(exposed: string): SplitName | undefined {
  const at = exposed.indexOf(SEPARATOR)
  if (at <= 0) return undefined
  return { server: exposed.slice(0, at), name: exposed.slice(at + SEPARATOR.length) }
}

/** The candidate that is exposed under this name; a plain name wins over one that was altered. */
export function originalName(
  exposed: string,
  split: SplitName,
  candidates: ReadonlySet<string> | ReadonlyMap<string, unknown>,
): string | undefined {
  if (candidates.has(split.name) && exposedName(split.server, split.name) === exposed) {
    return split.name
  }
  for (const name of candidates.keys()) {
    if (exposedName(split.server, name) === exposed) return name
  }
  return undefined
}

const UI = /^ui:\/\//i

/**
 * `mcp+{server}+{uri}`: a scheme of its own, so that any URI, opaque ones and templates included,
 * keeps its text. `ui://` stays `ui://` (MCP Apps): the server stands before the authority.
 */
export function exposedUri(server: string, uri: string): string {
  return UI.test(uri) ? `ui://${server}+${uri.slice('ui://'.length)}` : `mcp+${server}+${uri}`
}

/** The server a URI belongs to and its own text for it; undefined for a URI that is not ours. */
export function originalUri(
  exposed: string,
): { readonly server: string; readonly uri: string } | undefined {
  const [, scheme, server, rest] = EXPOSED_URI.exec(exposed) ?? []
  if (scheme === undefined || server === undefined || rest === undefined) return undefined
  return { server, uri: UI.test(scheme) ? `ui://${rest}` : rest }
}

const EXPOSED_URI = /^([uU][iI]:\/\/|mcp\+)([a-z0-9][a-z0-9-]{0,30})\+(.*)$/s

/** `{server}+{id}`: the id of a task, sealed, with the server that runs it. */
export function exposedTask(server: string, id: string): string {
  return `${server}+${id}`
}

/** The server a task belongs to and what it was sealed as; undefined for an id that is not ours. */
export function originalTask(
  exposed: string,
): { readonly server: string; readonly id: string } | undefined {
  const [, server, id] = /^([a-z0-9][a-z0-9-]{0,30})\+(.+)$/s.exec(exposed) ?? []
  return server === undefined || id === undefined ? undefined : { server, id }
}

/** Raw JSON of an id or token of one server, as its client on a shared endpoint sees it. */
export function exposedId(server: string, raw: string): string {
  return JSON.stringify(`${server}:${raw}`)
}

/** The server and its raw id; undefined for anything that `exposedId` did not make. */
export function originalId(
  value: unknown,
): { readonly server: string; readonly raw: string } | undefined {
  if (typeof value !== 'string') return undefined
  const [, server, raw] = /^([a-z0-9][a-z0-9-]{0,30}):(.+)$/s.exec(value) ?? []
  return server === undefined || raw === undefined || !isScalar(raw) ? undefined : { server, raw }
}

/** An id is a string or a number (JSON-RPC 2.0); anything else must not get into a message. */
function isScalar(raw: string): boolean {
  try {
    const value: unknown = JSON.parse(raw)
    return typeof value === 'string' || typeof value === 'number'
  } catch {
    // Not JSON: the client made it up.
    return false
  }
}
