import { z } from 'zod'
import { GatewayError, invalidInput, mediaType, parseInput, scanJson } from '../core/index.ts'
import { DEFAULT_BODY_TIMEOUT_MS, requestText } from './request-body.ts'

/** For a route that takes no query. */
export const NoQuery = z.strictObject({})

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

/**
 * The body of at most `maxBytes`: UTF-8, bounded in depth, without duplicate members. Throws
 * `unsupported_media_type`, `body_too_large`, `parse_error`.
 */
export async function jsonBody(request: Request, maxBytes: number): Promise<unknown> {
  if (typeOf(request) !== 'application/json') throw notJson()
  return parseJson(await textOf(request, maxBytes))
}

/** Like `jsonBody`; an empty body is an empty object, with or without a content type. */
export async function optionalJsonBody(request: Request, maxBytes: number): Promise<unknown> {
  const type = typeOf(request)
  if (type === 'application/json' || type === undefined) {
    const text = await textOf(request, maxBytes)
    if (text === '') return {}
    if (type !== undefined) return parseJson(text)
  }
  throw notJson()
}

function typeOf({ headers }: Request): string | undefined {
  return mediaType(headers.get('content-type'))
}

function textOf(request: Request, maxBytes: number): Promise<string> {
  return requestText(request, { maxBytes, timeoutMs: DEFAULT_BODY_TIMEOUT_MS })
}

function notJson(): GatewayError {
  return new GatewayError('unsupported_media_type', 'The body must be application/json.')
}

function parseJson(text: string): unknown {
  const scan = scanJson(text)
  if (scan.kind === 'refused') {
    throw new GatewayError('parse_error', `The body was refused: ${scan.reason}.`)
  }
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new GatewayError('parse_error', 'The body is not valid JSON.', { cause })
  }
}
