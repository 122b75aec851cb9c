import { type CallContext, parseInput } from '../core/index.ts'
import { jsonBody, optionalJsonBody, queryOf, refuseQuery } from '../http/index.ts'
import type { Actor } from '../policy/index.ts'
import { WriteQuery } from './schemas.ts'

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

/** One argument of a verb, out of the request. */
type Reader<T> = (call: RestCall) => T | Promise<T>

/** A management body: a server of 10 endpoints and 20 headers is 30 KB, a large policy 200. */
const MAX_BODY_BYTES = 1024 * 1024

/** The readers of verbs' arguments. */
export const path: Reader<string> = (call) => call.path
export const query: Reader<Record<string, string>> = ({ request }) => queryOf(request)
export const body: Reader<unknown> = ({ request }) => jsonBody(request, MAX_BODY_BYTES)
export const optionalBody: Reader<unknown> = ({ request }) =>
  optionalJsonBody(request, MAX_BODY_BYTES)
/** What the query says about an upstream that does not answer. */
export const writeOptions: Reader<{ allowUnreachable: boolean }> = ({ request }) => ({
  allowUnreachable: parseInput(WriteQuery, queryOf(request)).allowUnreachable === 'true',
})

const QUERY_READERS: ReadonlySet<unknown> = new Set([query, writeOptions])

/**
 * Answers a route by a verb, whose arguments behind the actor the readers give; 200 with what it
 * gave unless `respond` says otherwise. A query that no reader takes is refused.
 */
export function answerBy<Args extends readonly unknown[], Out>(
  verb: (ctx: CallContext, actor: Actor, ...args: Args) => Out | Promise<Out>,
  readers: { readonly [K in keyof Args]-?: Reader<Args[K]> },
  respond: (out: Out, request: Request) => Response = (out) => Response.json(out),
): RestHandler {
  const takesQuery = readers.some((reader) => QUERY_READERS.has(reader))
  return async (call) => {
    const { ctx, actor, request } = call
    if (!takesQuery) refuseQuery(request)
    const args = []
    for (const reader of readers) args.push(await reader(call))
    return respond(await verb(ctx, actor, ...(args as unknown as Args)), request)
  }
}

/** 201 with the place of what was made in a collection. */
export function created(made: { readonly path: string }, { url }: Request): Response {
  const location = `${new URL(url).pathname.replace(/\/$/, '')}/${made.path}`
  return Response.json(made, { status: 201, headers: { location } })
}

/** 204. */
export function gone(): Response {
  return new Response(null, { status: 204 })
}
