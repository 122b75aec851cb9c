import { z } from 'zod'
import { inspect } from '../inspector.ts'
import { type ForeignClient, namesOf, promptText, resourceText, textOf } from './foreign-client.ts'

const Output = z.looseObject({ result: z.unknown() })
const Failure = z.object({ error: z.looseObject({ message: z.string() }) })

/** The Inspector's command line, one process for each verb. */
export const inspector = (era: 'legacy' | 'auto'): ForeignClient => {
  const run = async (
    url: string,
    token: string,
    method: string,
    args: readonly string[] = [],
  ): Promise<unknown> => {
    // Legacy is what it does when it is not told.
    const eraArgs = era === 'legacy' ? [] : ['--protocol-era', era]
    const all = [...eraArgs, '--method', method, ...args]
    const { exitCode, stdout, stderr } = await inspect(url, token, all)
    if (exitCode === 0) return Output.parse(JSON.parse(stdout)).result
    const failure = Failure.safeParse(parseOr(stderr))
    throw new Error(failure.data?.error.message ?? `exit code ${exitCode}: ${stderr}`)
  }
  return {
    list: async (url, token) => namesOf(await run(url, token, 'tools/list')),
    call: async (url, token, tool, args) => {
      const json = JSON.stringify(args)
      const named = ['--tool-name', tool, '--tool-args-json', json]
      return textOf(await run(url, token, 'tools/call', named))
    },
    read: async (url, token, uri) =>
      resourceText(await run(url, token, 'resources/read', ['--uri', uri])),
    prompt: async (url, token, name, args) => {
      const pairs = Object.entries(args).map(([key, value]) => `${key}=${value}`)
      const named = ['--prompt-name', name, '--prompt-args', ...pairs]
      return promptText(await run(url, token, 'prompts/get', named))
    },
  }
}

function parseOr(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
