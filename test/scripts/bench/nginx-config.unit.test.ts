import { assert, property, string } from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  answersLua,
  luaString,
  luaUpstreamConfig,
  proxyConfig,
} from '../../../scripts/bench/nginx/config.ts'
import { upstreamAnswers } from '../../../scripts/bench/upstream/answers.ts'

describe('the configuration of nginx', () => {
  const lua = luaUpstreamConfig({
    folder: '/tmp/run',
    port: 8080,
    modules: ['/modules/ndk.so', '/modules/lua.so'],
    luaFolder: '/bench/upstream',
    kinds: ['modern', 'legacy'],
  })

  it('is one process in the foreground that writes in its folder alone', () => {
    expect(lua).toContain('daemon off;')
    expect(lua).toContain('master_process off;')
    expect(lua).toContain('listen 127.0.0.1:8080 ')
    const written = [...lua.matchAll(/(?:pid|_temp_path) ([^;]+);/g)].map(([, path]) => path)
    expect(written).toHaveLength(6)
    expect(written.every((path) => path?.startsWith('/tmp/run/'))).toBe(true)
    expect(lua).toContain('access_log off;')
  })

  it('loads the modules in their order and answers each kind by the script', () => {
    expect(lua.indexOf('load_module /modules/ndk.so;')).toBe(0)
    expect(lua).toContain('lua_package_path "/bench/upstream/?.lua;/tmp/run/?.lua;;";')
    expect(lua).toContain(
      'location /legacy/ { content_by_lua_block { require("upstream").serve("legacy") } }',
    )
    expect(lua).toContain('location = /requests { stub_status; }')
  })

  it('keeps connections open in both directions', () => {
    const proxy = proxyConfig({
      ...{ folder: '/tmp/run', port: 1 },
      ...{ upstream: '127.0.0.1:2', auth: '127.0.0.1:3' },
    })
    expect(proxy).toContain('upstream mcp { server 127.0.0.1:2; keepalive 256;')
    expect(proxy.split('proxy_http_version 1.1; proxy_set_header Connection "";')).toHaveLength(4)
    expect(proxy).toContain('location /auth/ { auth_request /verify;')
    expect(proxy).toContain('proxy_pass_request_body off;')
    expect(proxy).not.toContain('load_module')
  })

  it('closes every brace it opens', () => {
    expect(lua.split('{')).toHaveLength(lua.split('}').length)
  })
})

describe('answers as Lua', () => {
  it('holds every text of every kind', () => {
    const answers = upstreamAnswers()
    const text = answersLua(answers, { events: 20, everyMs: 1 })
    expect(text).toContain('progress_events = 20,')
    expect(text).toContain('progress_every_seconds = 0.001,')
    for (const results of Object.values(answers)) {
      for (const result of Object.values(results)) expect(text).toContain(luaString(result))
    }
  })

  it('ends a long string where the text ends, whatever the text holds', async () => {
    await assert(
      property(string({ unit: 'grapheme-ascii' }), string(), (start, end) => {
        const text = `${start}]=]${end}]`
        const written = luaString(text)
        const [, level] = /^\[(=+)\[\n/.exec(written) ?? []
        const close = `]${level}]`
        const inside = written.slice(3 + (level?.length ?? 0))
        expect(inside.indexOf(close)).toBe(text.length)
        expect(inside.slice(0, text.length)).toBe(text)
      }),
    )
  })
})
