import {
  Client,
  LOG_LEVEL_META_KEY,
  StreamableHTTPClientTransport,
} from '@modelcontextprotocol/client'
import type { Level } from '../upstreams/tools.ts'
import { digObject, type Json, type Message } from '../wire/json.ts'
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

const TOLD = [
  'notifications/message',
  'notifications/tools/list_changed',
  'notifications/resources/updated',
] as const

/** SDK v2, pinned to 2026-07-28. */
export async function connectModern(options: ConnectOptions): Promise<MatrixClient> {
  const { url, token, timeoutMs: timeout } = options
  const client = new Client(CLIENT_INFO, {
    capabilities: CLIENT_CAPABILITIES.modern,
    versionNegotiation: { mode: { pin: '2026-07-28' } },
  })
  const wire = createRecorder()
  const { asked, take } = createDesk(options)
  const notices: Message[] = []
  client.setRequestHandler('elicitation/create', async ({ method, params }) =>
    elicited(await take(method, { ...params })),
  )
  client.setRequestHandler('sampling/createMessage', async ({ method, params }) => {
    await take(method, { ...params })
    return ANSWERS.model
  })
  client.setRequestHandler('roots/list', async ({ method, params }) => {
    await take(method, { ...params })
    return ANSWERS.roots
  })
  for (const method of TOLD) {
    client.setNotificationHandler(method, (notice) => void notices.push({ ...notice }))
  }
  const send = wire.around((request) => fetch(request))
  await client.connect(
    new StreamableHTTPClientTransport(new URL(url), {
      requestInit: { headers: { authorization: `Bearer ${token}` } },
      fetch: (target, init) => send(new Request(target, init)),
    }),
    { timeout },
  )
  let level: Level | undefined
  return {
    era: 'modern',
    wire,
    asked,
    notices,
    server: {
      capabilities: { ...client.getServerCapabilities() },
      info: { ...client.getServerVersion() },
      instructions: client.getInstructions(),
    },
    async call(name, args, { signal, onProgress, meta = {}, level: ofCall = level } = {}) {
      const logging = ofCall === undefined ? {} : { [LOG_LEVEL_META_KEY]: ofCall }
      return client.callTool(
        { name, arguments: { ...args }, _meta: { ...meta, ...logging } },
        {
          timeout,
          ...(signal ? { signal } : {}),
          ...(onProgress ? { onprogress: (progress) => onProgress({ ...progress }) } : {}),
        },
      )
    },
    tools: async () => asJson((await client.listTools({}, { cacheMode: 'refresh' })).tools),
    resources: async () =>
      asJson((await client.listResources({}, { cacheMode: 'refresh' })).resources),
    read: (uri) => client.readResource({ uri }, { cacheMode: 'bypass' }),
    async watch(uris) {
      const wanted = {
        toolsListChanged: true,
        ...(uris.length > 0 ? { resourceSubscriptions: [...uris] } : {}),
      }
      const subscription = await client.listen(wanted, { timeout })
      return { stop: () => subscription.close() }
    },
    async setLevel(wanted) {
      level = wanted
    },
    close: () => client.close(),
  }
}

function asJson(items: readonly object[]): Json[] {
  return items.map((item) => digObject({ item }, 'item'))
}
