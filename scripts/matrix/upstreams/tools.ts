import { type Json, without } from '../wire/json.ts'
import type { Stage, ToolOffer } from './stage.ts'

/** Whoever called a tool, as far as the tool may know. One implementation per era. */
export interface Caller {
  readonly args: Json
  readonly meta: Json
  readonly signal: AbortSignal
  tell(method: string, params: Json): Promise<void>
  log(level: Level, data: string): Promise<void>
  /**
   * The client's answer. In the modern era the call may end here, and the tool runs again from the
   * beginning when the client comes back.
   */
  ask(key: string, method: string, params: Json): Promise<unknown>
  /** Sends the user to a page before the call is worth repeating; the legacy era has an error for it. */
  sendAway(key: string, link: Link): Promise<void>
}

export type Level = 'debug' | 'info' | 'warning' | 'error'

export interface Link {
  readonly message: string
  readonly url: string
}

export interface Result extends Record<string, unknown> {
  readonly content: { type: 'text'; text: string }[]
}

interface Tool {
  readonly description: string
  readonly outputSchema?: Json
  run(caller: Caller, stage: Stage): Promise<Result> | Result
}

export const FORM = {
  message: 'Who are you?',
  requestedSchema: {
    type: 'object',
    properties: { name: { type: 'string', description: 'näh "quoted"' }, age: { type: 'integer' } },
    required: ['name'],
  },
}

export const SECOND_FORM = {
  message: 'Are you sure?',
  requestedSchema: { type: 'object', properties: { sure: { type: 'boolean' } } },
}

export const LINK: Link = { message: 'Please sign in.', url: 'https://login.example.com/?a=1&b=2' }

export const PROMPT = {
  messages: [{ role: 'user', content: { type: 'text', text: 'What is the capital of France?' } }],
  maxTokens: 64,
  systemPrompt: 'Be brief.',
}

export const LEVELS: readonly Level[] = ['debug', 'info', 'warning', 'error']
export const STEPS = 3
const STEP_MS = 50
export const REPORT = { city: 'Zürich', degrees: 21.5, days: [1, 2, 3], deep: { empty: {} } }
export const MEASURES = [1, 'two', { three: 3 }]
/** Of a result and its `_meta`: nothing that the specification knows. */
export const VENDOR = { 'example.com/kept': { deep: [1, 'two'] } }

/** What every upstream of the matrix offers, a row per tool. */
const TOOLS: Readonly<Record<string, Tool>> = {
  echo: {
    description: 'Gives back its arguments and the meta data that came with them.',
    run: ({ args, meta }) => ({
      ...text({ args: without(args, 'nonce'), meta }),
      _meta: VENDOR,
      'example.com/vendor': VENDOR,
    }),
  },
  steps: {
    description: 'Reports progress.',
    async run({ meta, tell }) {
      const { progressToken } = meta
      for (let progress = 1; progress <= STEPS; progress += 1) {
        const params = { progressToken, progress, total: STEPS, message: `step ${progress}` }
        if (progressToken !== undefined) await tell('notifications/progress', params)
      }
      return text('done')
    },
  },
  chatter: {
    description: 'Logs once on every level.',
    async run({ log }) {
      for (const level of LEVELS) await log(level, `on ${level}`)
      return text('done')
    },
  },
  ask_form: {
    description: 'Asks the user with a form.',
    run: async ({ ask }) => text(await ask('who', 'elicitation/create', FORM)),
  },
  ask_twice: {
    description: 'Asks with one form after the other.',
    async run({ ask }) {
      const first = await ask('who', 'elicitation/create', FORM)
      return text([first, await ask('sure', 'elicitation/create', SECOND_FORM)])
    },
  },
  ask_link: {
    description: 'Asks the user to open a page.',
    run: async ({ ask }) => text(await ask('link', 'elicitation/create', { mode: 'url', ...LINK })),
  },
  needs_visit: {
    description: 'Works for those who have been to a page.',
    async run({ args, sendAway }, stage) {
      if (stage.visit(nonceOf(args))) await sendAway('visit', LINK)
      return text('welcome back')
    },
  },
  ask_model: {
    description: "Asks the client's model.",
    run: async ({ ask }) => text(await ask('model', 'sampling/createMessage', PROMPT)),
  },
  ask_roots: {
    description: "Asks for the client's roots.",
    run: async ({ ask }) => text(await ask('roots', 'roots/list', {})),
  },
  wait: {
    description: 'Runs until it is told to stop, and reports progress to those who want it.',
    async run({ args, meta, signal, tell }, stage) {
      const { progressToken } = meta
      for (let progress = 1; !signal.aborted; progress += 1) {
        const params = { progressToken, progress }
        if (progressToken !== undefined) await tell('notifications/progress', params)
        await new Promise((resolve) => setTimeout(resolve, STEP_MS))
      }
      stage.aborted(nonceOf(args))
      return text('stopped')
    },
  },
  report: {
    description: 'Answers with an object of its own.',
    outputSchema: {
      type: 'object',
      properties: { city: { type: 'string' }, degrees: { type: 'number' } },
      required: ['city'],
    },
    run: () => ({ ...text(REPORT), structuredContent: REPORT }),
  },
}

/** Only servers of the modern era know structured content that is no object. */
const MODERN_TOOLS: Readonly<Record<string, Tool>> = {
  measure: {
    description: 'Answers with a list of its own.',
    outputSchema: { type: 'array' },
    run: () => ({ ...text(MEASURES), structuredContent: MEASURES }),
  },
}

/** The tools of an era's upstream. */
export function toolsOf(era: 'legacy' | 'modern'): Readonly<Record<string, Tool>> {
  return era === 'modern' ? { ...TOOLS, ...MODERN_TOOLS } : TOOLS
}

/** How they are listed. */
export function offersOf(tools: Readonly<Record<string, Tool>>): ToolOffer[] {
  return Object.entries(tools).map(([name, { description, outputSchema }]) => ({
    name,
    description,
    inputSchema: { type: 'object' },
    ...(outputSchema ? { outputSchema } : {}),
  }))
}

/** Runs a tool and notes it on the stage. Throws what the era's caller throws to end a call early. */
export async function runTool(
  tools: Readonly<Record<string, Tool>>,
  name: string,
  caller: Caller,
  stage: Stage,
): Promise<Result> {
  const tool = tools[name]
  if (!tool) return { ...text(`there is no tool ${name}`), isError: true }
  const nonce = nonceOf(caller.args)
  stage.began(nonce)
  const result = await tool.run(caller, stage)
  stage.ended(nonce)
  return result
}

function nonceOf(args: Json): string {
  return String(args['nonce'])
}

function text(value: unknown): Result {
  return { content: [{ type: 'text', text: JSON.stringify(value) }] }
}
