import { type CallContext, GatewayError, isPlainObject, readBounded } from '../core/index.ts'
import type { Actor } from '../policy/index.ts'
import { invalidInput, NoQuery, parseInput, WriteQuery } from './schemas.ts'

/** One request of the REST surface, and what its routes do with it. */
export interface RestCall {
  readonly request: Request
  /** What the URL names; empty where it names nothing. */
  readonly path: string
  readonly ctx: CallContext
  readonly actor: Actor
}

/** Answers one route. */
export type RestHandler = (call: RestCall) => Promise<Response>

/** A management body: a server of 10 endpoints and 20 headers is 30 KB, a large policy 200. */
const MAX_BODY_BYTES = 1024 * 1024

/** The query as an object. Throws `invalid_params` for a parameter given twice. */
export function queryOf({ url }: Request): Record<string, string> {
  const parameters = [...new URL(url).searchParams]
  const seen = new Set<string>()
  const repeated = parameters.filter(([name]) => seen.size === seen.add(name).size)
  if (repeated.length > 0) {
    throw invalidInput(repeated.map(([path]) => ({ path, message: 'must be given once' })))
  }
  return Object.fromEntries(parameters)
}

/** Throws `invalid_params` when the URL has a query. */
export function refuseQuery(request: Request): void {
  parseInput(NoQuery, queryOf(request))
}

/** What the query says about an upstream that does not answer. */
export function writeOptions(request: Request): { allowUnreachable: boolean } {
  return { allowUnreachable: parseInput(WriteQuery, queryOf(request)).allowUnreachable === 'true' }
}

/** Throws `unsupported_media_type`, `body_too_large`, `parse_error`. */
export async function jsonBody(request: Request): Promise<unknown> {
  if (mediaTypeOf(request) !== 'application/json') throw notJson()
  return parseJson(await readBounded(request.body, MAX_BODY_BYTES))
}

/** An empty body is an empty object, with or without a content type. */
export async function optionalJsonBody(request: Request): Promise<unknown> {
  const type = mediaTypeOf(request)
  if (type === 'application/json' || type === undefined) {
    const text = await readBounded(request.body, MAX_BODY_BYTES)
    if (text === '') return {}
    if (type !== undefined) return parseJson(text)
  }
  throw notJson()
}

/** 201 with the place of what was made in a collection. */
export function created(request: Request, made: { readonly path: string }): Response {
  const location = `${new URL(request.url).pathname.replace(/\/$/, '')}/${made.path}`
  return Response.json(made, { status: 201, headers: { location } })
}

function mediaTypeOf({ headers }: Request): string | undefined {
  return headers.get('content-type')?.split(';')[0]?.trim().toLowerCase()
}

function notJson(): GatewayError {
  return new GatewayError('unsupported_media_type', 'The body must be application/json.')
}

function parseJson(text: string): unknown {
  const value = parsed(text)
  // Two readers may each take another one of two members: what was checked is not what is meant.
  if (membersIn(text) !== membersOf(value)) {
    throw new GatewayError('parse_error', 'The body names a member of an object twice.')
  }
  return value
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new GatewayError('parse_error', 'The body is not valid JSON.', { cause })
  }
}

/** How many members the valid JSON text writes: outside strings, each has one colon. */
function membersIn(text: string): number {
  let count = 0
  let isString = false
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at]
    if (char === '"') isString = !isString
    else if (isString && char === '\\') at += 1
    else if (!isString && char === ':') count += 1
  }
  return count
}

/** How many members all objects in the value have. Without recursion: a body may be very deep. */
function membersOf(root: unknown): number {
  let count = 0
  const open: unknown[] = [root]
  while (open.length > 0) {
    const value = open.pop()
    const members = Array.isArray(value) ? value : isPlainObject(value) ? Object.values(value) : []
    if (!Array.isArray(value)) count += members.length
    for (const member of members) open.push(member)
  }
  return count
}
