import { z } from 'zod'

/** The REST API of a gateway, as the CLI and `npm start` use it. */
export interface Api {
  /** The parsed JSON body of a 2xx answer; throws `ApiError` for any other. */
  request(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    body?: unknown,
  ): Promise<unknown>
}

/** The members of a problem document (RFC 9457) that we show. */
const Problem = z.object({
  title: z.string(),
  detail: z.string(),
  fix: z.string(),
  code: z.string(),
  requestId: z.string(),
  problems: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
})
export type Problem = z.infer<typeof Problem>

/** A request that the gateway refused, or that never reached it (`status` 0). */
export class ApiError extends Error {
  readonly status: number
  readonly problem: Problem | undefined

  constructor(message: string, status: number, problem?: Problem) {
    super(message)
    this.name = 'ApiError'
    this.status = status
    this.problem = problem
  }
}

const TIMEOUT_MS = 60_000

/** `url` is the gateway's origin; without a token requests go out unauthenticated. */
export function createApi(options: { readonly url: string; readonly token?: string }): Api {
  return {
    async request(method, path, body) {
      const response = await send(new URL(path, options.url), {
        method,
        headers: {
          accept: 'application/json, application/problem+json',
          ...(options.token ? { authorization: `Bearer ${options.token}` } : {}),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      const text = await response.text()
      if (!response.ok) throw refusal(response.status, text)
      return text === '' ? undefined : JSON.parse(text)
    },
  }
}

async function send(url: URL, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, { ...init, redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS) })
  } catch (cause) {
    const reason = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause
    const why = reason instanceof Error ? reason.message : String(reason)
    throw new ApiError(
      `${url.origin} does not answer: ${why}\nfix: start it with npm start, or name another gateway with --url.`,
      0,
    )
  }
}

function refusal(status: number, text: string): ApiError {
  const parsed = Problem.safeParse(tryJson(text))
  if (!parsed.success)
    return new ApiError(`the gateway answered ${status}: ${text.slice(0, 300)}`, status)
  const { title, detail, fix, code, requestId, problems = [] } = parsed.data
  const message = [
    `${title} (${status} ${code})`,
    `why: ${detail}`,
    // One alone is the whole of `why`.
    ...(problems.length > 1 ? problems : []).map(
      ({ path, message: what }) => `  ${path || 'document'}: ${what}`,
    ),
    `fix: ${fix}`,
    `request id: ${requestId}`,
  ].join('\n')
  return new ApiError(message, status, parsed.data)
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
