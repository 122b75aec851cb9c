import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import {
  CallToolResultSchema,
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  LoggingMessageNotificationSchema,
  ResourceUpdatedNotificationSchema,
  ToolListChangedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js'
import { until } from '../wire/expect.ts'
import type { Json, Message } from '../wire/json.ts'
import { createRecorder } from '../wire/recorder.ts'
import {
  ANSWERS,
  CLIENT_CAPABILITIES,
  CLIENT_INFO,
  type ConnectOptions,
  createDesk,
  elicited,
  type MatrixClient,
} from './client.ts'

/** Pages of a list, at most: a server that never ends its list must not hold a cell up. */
const MAX_PAGES = 64

/** SDK v1, which knows 2025-11-25 and nothing after it. */
export async function connectLegacy(options: ConnectOptions): Promise<MatrixClient> {
  const { url, token, timeoutMs: timeout } = options
  const client = new Client(CLIENT_INFO, { capabilities: CLIENT_CAPABILITIES.legacy })
  const wire = createRecorder()
  const { asked, take } = createDesk(options)
  const notices: Message[] = []
  client.setRequestHandler(ElicitRequestSchema, async ({ method, params }) =>
    elicited(await take(method, params)),
  )
  client.setRequestHandler(CreateMessageRequestSchema, async ({ method, params }) => {
    await take(method, params)
    return ANSWERS.model
  })
  client.setRequestHandler(ListRootsRequestSchema, async ({ method, params }) => {
    await take(method, params)
    return ANSWERS.roots
  })
  const note = (notice: Message): void => void notices.push(notice)
  client.setNotificationHandler(LoggingMessageNotificationSchema, note)
  client.setNotificationHandler(ToolListChangedNotificationSchema, note)
  client.setNotificationHandler(ResourceUpdatedNotificationSchema, note)

  const send = wire.around((request) => fetch(request))
  const transport = new StreamableHTTPClientTransport(new URL(url), {
    requestInit: { headers: { authorization: `Bearer ${token}` } },
    fetch: (target, init) => send(new Request(target, init)),
  })
  await client.connect(asTransport(transport), { timeout })
  const hasStream = (): boolean =>
    wire.exchanges.some(
      ({ method, status, state }) => method === 'GET' && status === 200 && state === 'open',
    )
  return {
    era: 'legacy',
    wire,
    asked,
    notices,
    server: {
      capabilities: { ...client.getServerCapabilities() },
      info: { ...client.getServerVersion() },
      instructions: client.getInstructions(),
    },
    async call(name, args, { signal, onProgress, meta } = {}) {
      return client.callTool(
        { name, arguments: { ...args }, ...(meta ? { _meta: { ...meta } } : {}) },
        CallToolResultSchema,
        {
          timeout,
          ...(signal ? { signal } : {}),
          ...(onProgress ? { onprogress: (progress) => onProgress({ ...progress }) } : {}),
        },
      )
    },
    tools: () =>
      everyPage(async (params) => {
        const { tools, nextCursor } = await client.listTools(params)
        return { items: tools, nextCursor }
      }),
    resources: () =>
      everyPage(async (params) => {
        const { resources, nextCursor } = await client.listResources(params)
        return { items: resources, nextCursor }
      }),
    read: (uri) => client.readResource({ uri }),
    async watch(uris) {
      // The client opens its stream by itself, once it is initialized.
      await until('a stream that the client opened by GET', hasStream)
      for (const uri of uris) await client.subscribeResource({ uri })
      return {
        async stop() {
          for (const uri of uris) await client.unsubscribeResource({ uri })
        },
      }
    },
    setLevel: async (level) => void (await client.setLoggingLevel(level)),
    ping: async () => void (await client.ping()),
    tellRootsChanged: () => client.sendRootsListChanged(),
    async close() {
      await transport.terminateSession().catch(() => {})
      await client.close()
    },
  }
}

async function everyPage(
  page: (params: { cursor?: string }) => Promise<{
    items: readonly Json[]
    nextCursor?: string | undefined
  }>,
): Promise<Json[]> {
  const found: Json[] = []
  let cursor: string | undefined
  for (let count = 0; count < MAX_PAGES; count += 1) {
    const { items, nextCursor } = await page(cursor === undefined ? {} : { cursor })
    found.push(...items)
    if (nextCursor === undefined) return found
    cursor = nextCursor
  }
  throw new Error(`more than ${MAX_PAGES} pages`)
}

/** v1 was written without exactOptionalPropertyTypes: its own transport does not fit its own type. */
function asTransport(transport: StreamableHTTPClientTransport) {
  return transport as unknown as Parameters<Client['connect']>[0]
}
