/** What the benchmark's upstream answers, as JSON of the member `result`; its id is put in as asked. */

/** How a path of the upstream speaks: `/modern/mcp`, `/legacy/mcp`, `/lists/3/mcp`. */
export const UPSTREAM_KINDS = ['modern', 'legacy', 'lists'] as const
export type UpstreamKind = (typeof UPSTREAM_KINDS)[number]

/** Results by method. A method that is not there is unknown. */
export type Answers = Readonly<Record<UpstreamKind, Readonly<Record<string, string>>>>

/** Progress notifications before the answer of a streamed call. */
export const PROGRESS_EVENTS = 20
/** Between two of them: long enough that whoever collects them before passing them on is found out. */
export const PROGRESS_EVERY_MS = 1
/** Tools of each server whose list is merged: 50 servers have 10,000. */
export const TOOLS_PER_LIST = 200

const SERVER_INFO = { name: 'bench', version: '1.0.0' }
const META = { 'io.modelcontextprotocol/serverInfo': SERVER_INFO }
const CACHE = { resultType: 'complete', ttlMs: 3_600_000, cacheScope: 'public', _meta: META }
/** Makes a modern answer about 850 bytes long, a legacy one about 740, envelope included. */
const CONTENT = [{ type: 'text', text: 'bench '.repeat(110) }]

/** @see Answers */
export function upstreamAnswers(): Answers {
  const discover = { ...CACHE, supportedVersions: ['2026-07-28'], capabilities: { tools: {} } }
  const call = { resultType: 'complete', content: CONTENT, _meta: META }
  const tools = [tool('echo'), tool('progress')]
  const manyTools = Array.from({ length: TOOLS_PER_LIST }, (_, index) => tool(`tool-${index}`))
  const initialize = {
    protocolVersion: '2025-11-25',
    capabilities: { tools: {} },
    serverInfo: SERVER_INFO,
  }
  return {
    modern: texts({
      'server/discover': discover,
      'tools/list': { ...CACHE, tools },
      'tools/call': call,
    }),
    legacy: texts({
      initialize,
      ping: {},
      'tools/list': { tools },
      'tools/call': { content: CONTENT },
    }),
    lists: texts({
      'server/discover': discover,
      'tools/list': { ...CACHE, tools: manyTools },
      'tools/call': call,
    }),
  }
}

function tool(name: string): object {
  return {
    name,
    description: `What ${name} does, in as many words as real tools take to say it to a model.`,
    inputSchema: {
      type: 'object',
      properties: {
        message: { type: 'string', description: 'What to give back.' },
        limit: { type: 'integer', minimum: 1, maximum: 100 },
      },
      required: ['message'],
    },
  }
}

function texts(results: Readonly<Record<string, object>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(results).map(([method, result]) => [method, JSON.stringify(result)]),
  )
}
