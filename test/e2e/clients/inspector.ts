import { z } from 'zod'
import { inspect } from '../inspector.ts'
import { type ForeignClient, namesOf, promptText, resourceText, textOf } from './foreign-client.ts'

const Output = z.looseObject({ result: z.unknown() })
const Failure = z.object({ error: z.looseObject({ message: z.string() }) })

/** What the command line is told of the connection. Legacy is what it does when it is not told. */
const SETTINGS = {
  legacy: ['--transport', 'http'],
  auto: ['--transport', 'http', '--protocol-era', 'auto'],
  sse: ['--transport', 'sse'],
} as const

/** The Inspector's command line, one process for each verb. */
export const inspector = (setting: keyof typeof SETTINGS): ForeignClient => ({
  async connect(url, token) {
    const run = async (method: string, args: readonly string[] = []): Promise<unknown> => {
      const all = [...SETTINGS[setting], '--method', method, ...args]
      const { exitCode, stdout, stderr } = await inspect(url, token, all)
      if (exitCode === 0) return Output.parse(JSON.parse(stdout)).result
      const failure = Failure.safeParse(parseOr(stderr))
      throw new Error(failure.data?.error.message ?? `exit code ${exitCode}: ${stderr}`)
    }
    return {
      list: async () => namesOf(await run('tools/list')),
      call: async (tool, args) => {
        const json = JSON.stringify(args)
        const named = ['--tool-name', tool, '--tool-args-json', json]
        return textOf(await run('tools/call', named))
      },
      read: async (uri) => resourceText(await run('resources/read', ['--uri', uri])),
      prompt: async (name, args) => {
        const pairs = Object.entries(args).map(([key, value]) => `${key}=${value}`)
        const named = ['--prompt-name', name, '--prompt-args', ...pairs]
        return promptText(await run('prompts/get', named))
      },
      close: async () => undefined,
    }
  },
})

function parseOr(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
