import { isPlainObject } from '../core/index.ts'
import type { HeaderParam, ToolFacts } from './server-record.ts'

/** MCP 2026-07-28, Tools: the schema member that mirrors an argument into a header. */
const ANNOTATION = 'x-mcp-header'
/** RFC 9110 section 5.6.2, `token`. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/** Keywords whose value is a subschema or a list of them, out of reach of the `properties` chain. */
const SUBSCHEMAS = [
  'items',
  'prefixItems',
  'contains',
  'additionalProperties',
  'unevaluatedProperties',
  'unevaluatedItems',
  'propertyNames',
  'oneOf',
  'anyOf',
  'allOf',
  'not',
  'if',
  'then',
  'else',
]
/** Keywords whose value maps names to subschemas. */
const SUBSCHEMA_MAPS = ['patternProperties', 'dependentSchemas', '$defs', 'definitions']

export type ToolFactsResult =
  | { readonly kind: 'facts'; readonly facts: ToolFacts }
  | { readonly kind: 'invalid'; readonly problem: string }

/**
 * Facts of one tool definition. `invalid` when an `x-mcp-header` annotation breaks a rule: clients
 * MUST drop such a tool, so it is not served (MCP 2026-07-28, Tools, Schema Extension). The caller
 * bounds the depth of the definition.
 */
export function toolFactsOf(tool: Readonly<Record<string, unknown>>): ToolFactsResult {
  const headerParams: HeaderParam[] = []
  const problem = visit(tool['inputSchema'], [], true, headerParams)
  if (problem !== undefined) return { kind: 'invalid', problem }
  const annotations = isPlainObject(tool['annotations']) ? tool['annotations'] : {}
  return {
    kind: 'facts',
    facts: {
      headerParams,
      readOnly: annotations['readOnlyHint'] === true,
      idempotent: annotations['idempotentHint'] === true,
    },
  }
}

/** Collects annotations below a schema into `found`; the first broken rule as a sentence. */
function visit(
  schema: unknown,
  path: readonly string[],
  isReachable: boolean,
  found: HeaderParam[],
): string | undefined {
  if (!isPlainObject(schema)) return undefined
  if (Object.hasOwn(schema, ANNOTATION)) {
    const problem = readAnnotation(schema, path, isReachable, found)
    if (problem !== undefined) return problem
  }
  const properties = isPlainObject(schema['properties']) ? schema['properties'] : {}
  for (const [name, child] of Object.entries(properties)) {
    const problem = visit(child, [...path, name], isReachable, found)
    if (problem !== undefined) return problem
  }
  for (const child of subschemas(schema)) {
    const problem = visit(child, path, false, found)
    if (problem !== undefined) return problem
  }
  return undefined
}

function readAnnotation(
  schema: Readonly<Record<string, unknown>>,
  path: readonly string[],
  isReachable: boolean,
  found: HeaderParam[],
): string | undefined {
  const at = `${ANNOTATION} at ${path.length === 0 ? 'the root' : path.join('.').slice(0, 200)}`
  if (!isReachable || path.length === 0) {
    return `${at} is not reached by a chain of properties`
  }
  const header = schema[ANNOTATION]
  if (typeof header !== 'string' || !TOKEN.test(header)) return `${at} is not a header name`
  const { type } = schema
  if (type !== 'string' && type !== 'integer' && type !== 'boolean') {
    return `${at} is on a property that is not a string, an integer or a boolean`
  }
  if (found.some((param) => param.header.toLowerCase() === header.toLowerCase())) {
    return `${at} repeats the header name ${header.slice(0, 200)}`
  }
  found.push({ header, path, type })
  return undefined
}

function subschemas(schema: Readonly<Record<string, unknown>>): unknown[] {
  const direct = SUBSCHEMAS.flatMap((keyword) => schema[keyword] ?? [])
  const mapped = SUBSCHEMA_MAPS.flatMap((keyword) => {
    const map = schema[keyword]
    return isPlainObject(map) ? Object.values(map) : []
  })
  return [...direct, ...mapped]
}
