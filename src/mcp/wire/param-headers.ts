import { GatewayError, isPlainObject } from '../../core/index.ts'
import { decodeHeaderValue, encodeHeaderValue } from './header-value.ts'

/** One argument that a tool mirrors into a header (`x-mcp-header` in its input schema). */
export interface HeaderParam {
  /** As in `Mcp-Param-<header>`. */
  readonly header: string
  /** Member names from `arguments` down. */
  readonly path: readonly string[]
  readonly type: 'string' | 'integer' | 'boolean'
}

/** An argument is mirrored as it stands in the body: the body is what runs, so it decides. */
type Mirrored = string | number | boolean

/**
 * Refuses a request whose `Mcp-Param-*` headers say something else than its arguments, or leave one
 * out. Source: MCP 2026-07-28, Streamable HTTP, Custom headers from tool parameters.
 */
export function checkParamHeaders(
  headers: Headers,
  params: readonly HeaderParam[],
  args: unknown,
): void {
  for (const param of params) {
    const expected = mirroredValue(args, param)
    const name = `Mcp-Param-${param.header}`
    const actual = headers.get(name)
    if (expected === undefined && actual === null) continue
    if (expected === undefined) throw mismatch(`${name} is set, but its argument is not.`)
    if (actual === null) throw mismatch(`${name} is missing.`)
    if (!isSame(decodeHeaderValue(actual), expected)) {
      throw mismatch(`${name} does not match its argument.`)
    }
  }
}

/** The `Mcp-Param-*` headers for hop 2, computed from the body; unknown ones are passed on. */
export function paramHeaders(
  inbound: Headers,
  params: readonly HeaderParam[],
  args: unknown,
): [name: string, value: string][] {
  const passed: [string, string][] = []
  const known = params.length === 0 ? undefined : new Set(params.map(headerName))
  // Names alone: to list the values as well costs four times as much.
  for (const name of inbound.keys()) {
    if (!name.startsWith('mcp-param-') || known?.has(name)) continue
    passed.push([name, inbound.get(name) ?? ''])
  }
  if (params.length === 0) return passed
  const computed = params.flatMap((param): [string, string][] => {
    const value = mirroredValue(args, param)
    return value === undefined
      ? []
      : [[`Mcp-Param-${param.header}`, encodeHeaderValue(String(value))]]
  })
  return [...passed, ...computed]
}

/** In lower case, as `Headers` lists it. */
function headerName({ header }: HeaderParam): string {
  return `mcp-param-${header.toLowerCase()}`
}

function mirroredValue(args: unknown, param: HeaderParam): Mirrored | undefined {
  let value = args
  for (const member of param.path) {
    if (!isPlainObject(value) || !Object.hasOwn(value, member)) return undefined
    value = value[member]
  }
  const isMirrored =
    typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
  return isMirrored ? (value as Mirrored) : undefined
}

/** RFC 8259 section 6. */
const JSON_NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/

/** Numbers compare by value (`5.0` is `5`), everything else by text. */
function isSame(actual: string | undefined, expected: Mirrored): boolean {
  if (actual === undefined) return false
  if (typeof expected === 'number') return JSON_NUMBER.test(actual) && Number(actual) === expected
  return actual === String(expected)
}

function mismatch(message: string): GatewayError {
  return new GatewayError('header_mismatch', message)
}
