import { Client as ClientV2, SSEClientTransport as SseV2 } from '@modelcontextprotocol/client'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { SSEClientTransport as SseV1 } from '@modelcontextprotocol/sdk/client/sse.js'
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  LoggingMessageNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js'
import { authorization } from './foreign-client.ts'

/** Where a client's stream is, and where another isolate takes what it posts. */
export interface SsePlace {
  readonly url: string
  /** Origin that POSTs go to instead. */
  readonly postsTo?: string
  readonly token: string
  readonly name: string
}

/** What these suites use of a connected SDK client, and what its server asked and told it. */
export interface SseConnected {
  readonly client: Pick<ClientV2, 'listTools' | 'close' | 'ping'>
  call(name: string, args: object, options?: CallOptions): Promise<unknown>
  setLogLevel(level: 'debug'): Promise<unknown>
  readonly asked: string[]
  readonly told: unknown[]
}

export interface CallOptions {
  readonly onprogress?: (progress: { readonly progress: number }) => void
  readonly signal?: AbortSignal
}

const CAPABILITIES = { sampling: {}, elicitation: {} }

const sampled = (name: string) => ({
  role: 'assistant' as const,
  model: name,
  content: { type: 'text' as const, text: `I am ${name}.` },
})
const elicited = { action: 'accept' as const, content: { name: 'Ann', check: true } }

/** The transport of SDK v1, or of v2, with what it posts sent to `postsTo`. */
function optionsOf({ token, postsTo, url }: SsePlace) {
  const elsewhere: typeof fetch = (input, init) => {
    const target = String(input instanceof Request ? input.url : input)
    const isPost = init?.method === 'POST' && postsTo !== undefined
    return fetch(isPost ? target.replace(new URL(url).origin, postsTo) : target, init)
  }
  return { requestInit: { headers: authorization(token) }, fetch: elsewhere }
}

export async function connectSseV1(place: SsePlace): Promise<SseConnected> {
  const client = new ClientV1({ name: place.name, version: '1' }, { capabilities: CAPABILITIES })
  const [asked, told]: [string[], unknown[]] = [[], []]
  client.setRequestHandler(CreateMessageRequestSchema, ({ params }) => {
    asked.push(JSON.stringify(params))
    return sampled(place.name)
  })
  client.setRequestHandler(ElicitRequestSchema, ({ params }) => {
    asked.push(JSON.stringify(params))
    return elicited
  })
  client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => {
    told.push(params)
  })
  const transport = new SseV1(new URL(place.url), optionsOf(place))
  await client.connect(transport)
  return {
    client: client as unknown as SseConnected['client'],
    call: (name, args, options) =>
      client.callTool({ name, arguments: { ...args } }, undefined, options),
    setLogLevel: (level) => client.setLoggingLevel(level),
    asked,
    told,
  }
}

export async function connectSseV2(
  place: SsePlace,
  mode: 'auto' | 'legacy' = 'legacy',
): Promise<SseConnected> {
  const client = new ClientV2(
    { name: place.name, version: '1' },
    { capabilities: CAPABILITIES, versionNegotiation: { mode } },
  )
  const [asked, told]: [string[], unknown[]] = [[], []]
  client.setRequestHandler('sampling/createMessage', ({ params }) => {
    asked.push(JSON.stringify(params))
    return sampled(place.name)
  })
  client.setRequestHandler('elicitation/create', ({ params }) => {
    asked.push(JSON.stringify(params))
    return elicited
  })
  client.setNotificationHandler('notifications/message', ({ params }) => {
    told.push(params)
  })
  await client.connect(new SseV2(new URL(place.url), optionsOf(place)))
  return {
    client,
    call: (name, args, options) => client.callTool({ name, arguments: { ...args } }, options),
    setLogLevel: (level) => client.setLoggingLevel(level),
    asked,
    told,
  }
}
