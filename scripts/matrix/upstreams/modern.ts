import {
  createMcpHandler,
  type InputRequests,
  inputRequired,
  ResourceNotFoundError,
  Server,
  type ServerContext,
} from '@modelcontextprotocol/server'
import { digList, digObject, type Json } from '../wire/json.ts'
import type { Exchange } from '../wire/recorder.ts'
import { createStage, pageOf, type Stage } from './stage.ts'
import { type Caller, offersOf, runTool, toolsOf } from './tools.ts'
import { CAPABILITIES, host, INSTRUCTIONS, type Upstream } from './upstream.ts'

/** How its states begin: text that only an exact copy keeps. Answers of earlier rounds follow. */
const STATE_MARK = 'their "näh" state\\/+= '

const TOOLS = toolsOf('modern')
/** Longer than a run: whoever kept a list although it changed would be found out. */
const HINTS = { ttlMs: 60_000, cacheScope: 'public' as const }

/** A server of 2026-07-28 alone, by SDK v2: whatever is not of that era is refused. */
export async function startModernUpstream(): Promise<Upstream> {
  const stage = createStage(offersOf(TOOLS))
  const handler = createMcpHandler(() => createModern(stage), { legacy: 'reject' })
  const { url, wire, stop } = await host((request) => handler.fetch(request))
  return {
    era: 'modern',
    url,
    wire,
    stage,
    isWatched: (uri) => wire.exchanges.some((exchange) => hears(exchange, uri)),
    isSubscribed: (uri) => wire.exchanges.some((exchange) => hears(exchange, uri)),
    changeTools() {
      const { name } = stage.addTool()
      handler.notify.toolsChanged()
      return name
    },
    changeResource(uri) {
      stage.rewrite(uri)
      handler.notify.resourceUpdated(uri)
    },
    async stop() {
      await handler.close()
      await stop()
    },
  }
}

/** Whether it is a subscription that is open and acknowledged. */
function hears({ sent, state, received }: Exchange, uri: string | undefined): boolean {
  if (sent?.['method'] !== 'subscriptions/listen' || state !== 'open') return false
  const acknowledged = digObject(received[0], 'params', 'notifications')
  return uri === undefined
    ? acknowledged['toolsListChanged'] === true
    : digList(acknowledged, 'resourceSubscriptions').includes(uri)
}

function createModern(stage: Stage): Server {
  const server = new Server(
    { name: 'matrix-modern', version: '1.0.0' },
    { capabilities: CAPABILITIES, instructions: INSTRUCTIONS },
  )
  server.setRequestHandler('tools/list', ({ params }) => {
    const { page, more } = pageOf(stage.tools, params?.cursor)
    return { tools: page, ...more, ...HINTS }
  })
  server.setRequestHandler('resources/list', ({ params }) => {
    const { page, more } = pageOf(stage.resources, params?.cursor)
    return { resources: [...page], ...more, ...HINTS }
  })
  server.setRequestHandler('resources/templates/list', () => ({ resourceTemplates: [], ...HINTS }))
  server.setRequestHandler('resources/read', ({ params: { uri } }) => {
    const text = stage.textOf(uri)
    if (text === undefined) throw new ResourceNotFoundError(uri)
    return { contents: [{ uri, text }], ...HINTS }
  })
  server.setRequestHandler(
    'tools/call',
    async ({ params: { name, arguments: args = {} } }, ctx) => {
      try {
        return await runTool(TOOLS, name, callerOf(ctx, args), stage)
      } catch (thrown) {
        if (!(thrown instanceof NeedsInput)) throw thrown
        return inputRequired({ inputRequests: thrown.requests, requestState: thrown.state })
      }
    },
  )
  return server
}

/** Ends a call that must be asked again. */
class NeedsInput extends Error {
  readonly requests: InputRequests
  readonly state: string

  constructor(requests: InputRequests, answered: Json) {
    super('needs input')
    this.requests = requests
    this.state = `${STATE_MARK}${JSON.stringify(answered)}`
  }
}

function callerOf({ mcpReq }: ServerContext, args: Json): Caller {
  const answered = { ...answersIn(mcpReq.requestState()), ...mcpReq.inputResponses }
  const ask: Caller['ask'] = async (key, method, params) => {
    if (answered[key] !== undefined) return answered[key]
    throw new NeedsInput({ [key]: asInputRequest({ method, params }) }, answered)
  }
  return {
    args,
    meta: { ...mcpReq._meta },
    signal: mcpReq.signal,
    ask,
    tell: (method, params) => mcpReq.notify({ method, params }),
    log: (level, data) => mcpReq.log(level, data),
    // This era has nothing but the question.
    sendAway: async (key, link) =>
      void (await ask(key, 'elicitation/create', { mode: 'url', ...link })),
  }
}

/** Throws for a state that is not byte for byte one of ours. */
function answersIn(state: string | undefined): Json {
  if (state === undefined) return {}
  if (!state.startsWith(STATE_MARK)) throw new Error('a state of somebody else')
  return digObject(JSON.parse(state.slice(STATE_MARK.length)))
}

/** The methods of the tools are those that a server may ask with. */
function asInputRequest(request: { method: string; params: Json }): InputRequests[string] {
  return request as InputRequests[string]
}
