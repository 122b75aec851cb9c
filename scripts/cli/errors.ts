import { ApiError } from './api.ts'

/** The command was used wrongly: exit 2. Anything else that is thrown is a failure: exit 1. */
export class MisuseError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'MisuseError'
  }
}

/** Prints what went wrong to stderr, as JSON when asked, and gives the exit code. */
export function reportError(error: unknown, json: boolean): 1 | 2 {
  const message = error instanceof Error ? error.message : String(error)
  if (json) {
    const problem = error instanceof ApiError ? error.problem : undefined
    console.error(JSON.stringify({ error: problem ?? { detail: message } }))
  } else {
    console.error(`error: ${message}`)
  }
  return error instanceof MisuseError ? 2 : 1
}
