import { z } from 'zod'

/** A tenant: a wall. Every row, cache key and object name carries it. */
export const TenantId = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'must be 1 to 63 of a-z, 0-9 and -, not starting with -')
  .brand<'TenantId'>()
export type TenantId = z.infer<typeof TenantId>

/** First path segments that are ours, so no server may take them. */
export const RESERVED_PATHS: ReadonlySet<string> = new Set([
  'admin',
  'agents',
  'all',
  'api',
  'assets',
  'auth',
  'authorize',
  'cdn-cgi',
  'compat',
  'docs',
  'favicon',
  'health',
  'legacy',
  'login',
  'logout',
  'mcp',
  'mcpgw',
  'message',
  'messages',
  'metrics',
  'oauth',
  'oauth2',
  'openapi',
  'own',
  'public',
  'register',
  'sse',
  'static',
  'token',
  'toggle',
  'edit',
  'ui',
  'v0',
  'v1',
  'well-known',
  'ws',
])

const SERVER_PATH = /^[a-z0-9][a-z0-9-]{0,30}$/

/** A server's path: its name in URLs, unique per tenant (DESIGN.md, Decision 7). */
export const ServerPath = z
  .string()
  .regex(SERVER_PATH, 'must be 1 to 31 of a-z, 0-9 and -, not starting with -')
  .refine((path) => !RESERVED_PATHS.has(path), 'is a reserved path')
  .brand<'ServerPath'>()
export type ServerPath = z.infer<typeof ServerPath>

/** What `ServerPath` takes, for where each request passes: a schema costs ten times as much. */
export function isServerPath(text: string): text is ServerPath {
  return SERVER_PATH.test(text) && !RESERVED_PATHS.has(text)
}

export const ServerId = z.uuid().brand<'ServerId'>()
export type ServerId = z.infer<typeof ServerId>

export const EndpointId = z.uuid().brand<'EndpointId'>()
export type EndpointId = z.infer<typeof EndpointId>

const CALLER_REQUEST_ID = /^[A-Za-z0-9_-]{8,64}$/

/** The caller's `X-Request-Id` when it is harmless, otherwise a new one. */
export function requestIdFrom(header: string | null, fresh: () => string): string {
  return header !== null && CALLER_REQUEST_ID.test(header) ? header : fresh()
}
