import { join } from 'node:path'
import type { Answers } from '../upstream/answers.ts'

/** Texts of the nginx that the benchmark starts. Pure: paths and ports in, text out. */

/** What both configurations share; everything nginx writes is in `folder`. */
interface Base {
  readonly folder: string
  readonly port: number
  /** Files of `load_module`. */
  readonly modules: readonly string[]
  /** What to put in `http`, and in its one `server`. */
  readonly http: readonly string[]
  readonly server: readonly string[]
}

export interface LuaUpstreamConfig {
  readonly folder: string
  readonly port: number
  readonly modules: readonly string[]
  /** Where `upstream.lua` is; `answers.lua` is in `folder`. */
  readonly luaFolder: string
  readonly kinds: readonly string[]
}

/** A server of one process that answers by `upstream.lua`; `/requests` counts what reached it. */
export function luaUpstreamConfig(config: LuaUpstreamConfig): string {
  return nginxConfig({
    ...config,
    http: [
      `lua_package_path "${config.luaFolder}/?.lua;${config.folder}/?.lua;;";`,
      'init_by_lua_block { require("upstream") }',
    ],
    server: [
      'location = /requests { stub_status; }',
      ...config.kinds.map(
        (kind) =>
          `location /${kind}/ { content_by_lua_block { require("upstream").serve("${kind}") } }`,
      ),
    ],
  })
}

export interface ProxyConfig {
  readonly folder: string
  readonly port: number
  /** `host:port` of the upstream. */
  readonly upstream: string
  /** `host:port` of the server that judges tokens. */
  readonly auth: string
}

/** A reverse proxy: `/plain/` passes on, `/auth/` asks the other server about each request first. */
export function proxyConfig({ folder, port, upstream, auth }: ProxyConfig): string {
  const passOn = 'proxy_http_version 1.1; proxy_set_header Connection "";'
  return nginxConfig({
    folder,
    port,
    modules: [],
    http: [
      `upstream mcp { server ${upstream}; keepalive 256; keepalive_requests ${MANY}; }`,
      `upstream auth { server ${auth}; keepalive 256; keepalive_requests ${MANY}; }`,
    ],
    server: [
      `location /plain/ { proxy_pass http://mcp/; ${passOn} }`,
      `location /auth/ { auth_request /verify; proxy_pass http://mcp/; ${passOn} }`,
      'location = /verify { internal; proxy_pass http://auth; proxy_pass_request_body off;' +
        ` proxy_set_header Content-Length ""; ${passOn} }`,
    ],
  })
}

/** More than any run sends over one connection. */
const MANY = 1_000_000_000

/** One process in the foreground: what it costs is what that process used. */
function nginxConfig({ folder, port, modules, http, server }: Base): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${join(folder, `temp-${name}`)};`,
  )
  return [
    ...modules.map((path) => `load_module ${path};`),
    'daemon off;',
    'master_process off;',
    `pid ${join(folder, 'nginx.pid')};`,
    'error_log stderr error;',
    'events { worker_connections 8192; }',
    'http {',
    ...indented([
      'access_log off;',
      'tcp_nodelay on;',
      'keepalive_timeout 600s;',
      `keepalive_requests ${MANY};`,
      // A body is read into memory, never into a file.
      'client_body_buffer_size 1m;',
      'client_max_body_size 1m;',
      ...temporary,
      ...http,
      'server {',
      ...indented([`listen 127.0.0.1:${port} backlog=4096;`, ...server]),
      '}',
    ]),
    '}',
    '',
  ].join('\n')
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`)
}

/** The module `answers` that `upstream.lua` reads. */
export function answersLua(
  answers: Answers,
  progress: { readonly events: number; readonly everyMs: number },
): string {
  const kinds = Object.entries(answers).map(([kind, results]) => {
    const rows = Object.entries(results).map(
      ([method, text]) => `    ['${method}'] = ${luaString(text)},`,
    )
    return [`  ${kind} = {`, ...rows, '  },'].join('\n')
  })
  return [
    'return {',
    `  progress_events = ${progress.events},`,
    `  progress_every_seconds = ${progress.everyMs / 1000},`,
    ...kinds,
    '}',
    '',
  ].join('\n')
}

/** A long bracket whose level the text does not hold. A newline right after the opening is dropped. */
export function luaString(text: string): string {
  let level = '='
  while (text.includes(`]${level}]`) || text.endsWith(`]${level}`)) level += '='
  return `[${level}[\n${text}]${level}]`
}
