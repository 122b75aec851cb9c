import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import {
  CallToolRequestSchema,
  ListResourcesRequestSchema,
  ListResourceTemplatesRequestSchema,
  ListToolsRequestSchema,
  SetLevelRequestSchema,
  SubscribeRequestSchema,
  UnsubscribeRequestSchema,
} from '@modelcontextprotocol/sdk/types.js'

/** What happened in one room of the link servers, whatever transport led there. */
export interface LinkRoom {
  /** Connections or sessions that are open, and how many there ever were. */
  open: number
  opened: number
  /** Tools that were called, in order. */
  readonly calls: string[]
  /** Calls whose cancel arrived. */
  readonly cancelled: string[]
  readonly levels: string[]
  readonly subscribed: string[]
  readonly servers: Set<Server>
  release: (() => void)[]
  /** Of `/switch/{room}`: what it speaks now. */
  isSse: boolean
  /** Of `/flip/{room}`: whether it speaks the modern era alone, or the legacy one alone. */
  isModern: boolean
}

export function newRoom(): LinkRoom {
  return {
    open: 0,
    opened: 0,
    calls: [],
    cancelled: [],
    levels: [],
    subscribed: [],
    servers: new Set(),
    release: [],
    isSse: false,
    isModern: false,
  }
}

const TOOLS_PER_PAGE = 10
const NAMES = ['echo', 'steps', 'ask', 'sample', 'hold', 'talk', 'large', 'held']
const TOOLS = [...NAMES, ...Array.from({ length: 17 }, (_, index) => `spare-${index}`)].map(
  (name) => ({ name, inputSchema: { type: 'object' as const } }),
)

const text = (value: string) => ({ content: [{ type: 'text' as const, text: value }] })

/** One server of the room, as the SDK of the legacy era makes them. */
export function serverOf(room: LinkRoom): Server {
  const server = new Server(
    { name: 'link-room', version: '1' },
    {
      capabilities: {
        tools: { listChanged: true },
        resources: { subscribe: true, listChanged: true },
        logging: {},
      },
      instructions: 'Ask me.',
    },
  )
  room.servers.add(server)
  server.setRequestHandler(ListToolsRequestSchema, ({ params }) => {
    const from = Number(params?.cursor ?? 0)
    const next = from + TOOLS_PER_PAGE
    const tools = TOOLS.slice(from, next)
    return next < TOOLS.length ? { tools, nextCursor: String(next) } : { tools }
  })
  server.setRequestHandler(ListResourcesRequestSchema, () => ({
    resources: [{ uri: 'room://thing', name: 'thing' }],
  }))
  server.setRequestHandler(ListResourceTemplatesRequestSchema, () => ({ resourceTemplates: [] }))
  server.setRequestHandler(SetLevelRequestSchema, ({ params }) => {
    room.levels.push(params.level)
    return {}
  })
  server.setRequestHandler(SubscribeRequestSchema, ({ params }) => {
    room.subscribed.push(params.uri)
    return {}
  })
  server.setRequestHandler(UnsubscribeRequestSchema, ({ params }) => {
    room.subscribed.splice(room.subscribed.indexOf(params.uri), 1)
    return {}
  })
  server.setRequestHandler(CallToolRequestSchema, async ({ params }, extra) => {
    room.calls.push(params.name)
    const related = { relatedRequestId: extra.requestId }
    switch (params.name) {
      case 'steps': {
        const token = extra._meta?.progressToken
        for (let progress = 1; progress <= 3 && token !== undefined; progress += 1) {
          await extra.sendNotification({
            method: 'notifications/progress',
            params: { progressToken: token, progress, total: 3 },
          })
        }
        return text('stepped')
      }
      case 'ask': {
        const asked = { message: 'Your name?', requestedSchema: NAME_SCHEMA }
        return text(JSON.stringify(await server.elicitInput(asked, related)))
      }
      case 'sample': {
        const content = { type: 'text' as const, text: 'Who?' }
        const messages = [{ role: 'user' as const, content }]
        return text(JSON.stringify(await server.createMessage({ messages, maxTokens: 9 }, related)))
      }
      case 'hold':
        await new Promise<void>((resolve) => {
          extra.signal.addEventListener('abort', () => {
            room.cancelled.push('hold')
            resolve()
          })
        })
        return text('never heard')
      case 'held':
        await new Promise<void>((resolve) => {
          room.release.push(resolve)
        })
        return text('released')
      case 'talk':
        for (const level of ['debug', 'warning'] as const) {
          const said = { level, data: `${level} of ${String(params.arguments?.['who'])}` }
          await extra.sendNotification({ method: 'notifications/message', params: said })
        }
        return text('talked')
      case 'large':
        return text('x'.repeat(Number(params.arguments?.['size'])))
      default:
        return text(JSON.stringify(params.arguments ?? {}))
    }
  })
  return server
}

const NAME_SCHEMA = {
  type: 'object' as const,
  properties: { name: { type: 'string' as const } },
}
