import type { Fetcher } from '../../src/core/index.ts'

/** One request as it reached the upstream. */
export interface SeenRequest {
  readonly url: string
  readonly headers: Headers
  readonly body: string
}

/** An upstream inside the test's isolate: nothing is between the gateway's fetch and its answer. */
export interface FakeUpstream {
  readonly fetcher: Fetcher
  /** Every request since the start or the last `seen.length = 0`. */
  readonly seen: SeenRequest[]
  /** How lists are answered from now on. */
  answersBy: 'json' | 'sse'
}

interface Message {
  readonly id?: unknown
  readonly method?: string
  readonly params?: { readonly name?: string; readonly arguments?: unknown }
}

/**
 * Speaks both eras, without sessions. `tools` is the raw JSON of the elements of its list; a call
 * of any tool answers with the tool's name.
 */
export function createFakeUpstream(tools: readonly string[]): FakeUpstream {
  const seen: SeenRequest[] = []
  const upstream: FakeUpstream = {
    seen,
    answersBy: 'json',
    async fetcher(request) {
      const body = await request.text()
      seen.push({ url: request.url, headers: request.headers, body })
      if (request.method !== 'POST') return new Response(null, { status: 405 })
      const message = JSON.parse(body) as Message
      if (message.id === undefined) return new Response(null, { status: 202 })
      const isModern = request.headers.has('mcp-method')
      const result = resultOf(message, isModern, tools)
      const text = `{"jsonrpc":"2.0","id":${JSON.stringify(message.id)},${result}}`
      return upstream.answersBy === 'sse' && message.method === 'tools/list'
        ? new Response(`event: message\n${text.replace(/^/gm, 'data: ')}\n\n`, {
            headers: { 'content-type': 'text/event-stream' },
          })
        : new Response(text, { headers: { 'content-type': 'application/json' } })
    },
  }
  return upstream
}

function resultOf(message: Message, isModern: boolean, tools: readonly string[]): string {
  const type = isModern ? '"resultType":"complete",' : ''
  const cache = isModern ? '"ttlMs":1000,"cacheScope":"public",' : ''
  switch (message.method) {
    case 'server/discover':
      return `"result":{${type}${cache}"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}}`
    case 'initialize':
      return '"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"fake","version":"1"}}'
    case 'tools/list':
      return `"result":{${type}${cache}"tools":[ ${tools.join(' ,\n')} ],"x-vendor":1.0}`
    case 'tools/call': {
      const text = JSON.stringify(`ran ${message.params?.name}`)
      return `"result":{${type}"content":[{"type":"text","text":${text}}]}`
    }
    default:
      return '"error":{"code":-32601,"message":"Method not found"}'
  }
}
