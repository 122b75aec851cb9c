import { parseArgs } from 'node:util'

/** What a run by a seed takes on its command line. */
export interface RunOptions {
  readonly seed: number
  readonly seconds: number
}

/** A run's own defaults and words. */
export interface RunCommand {
  readonly name: string
  readonly help: string
  readonly seconds: number
  readonly minSeconds: number
}

/** Reads `--seed` and `--seconds`; prints the help, or what is wrong, and ends the process. */
export function readRunOptions(command: RunCommand): RunOptions {
  try {
    const { values } = parseArgs({
      options: {
        help: { type: 'boolean', short: 'h', default: false },
        seed: { type: 'string', default: '1' },
        seconds: { type: 'string', default: String(command.seconds) },
      },
    })
    if (values.help) {
      console.log(command.help)
      process.exit(0)
    }
    return {
      seed: wholeNumber('seed', values.seed, 0),
      seconds: wholeNumber('seconds', values.seconds, command.minSeconds),
    }
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    console.error(`npm run ${command.name} -- --help shows what there is.`)
    process.exit(2)
  }
}

function wholeNumber(name: string, text: string, min: number): number {
  const value = Number(text)
  if (text !== '' && Number.isSafeInteger(value) && value >= min) return value
  throw new Error(`--${name} takes a whole number, at least ${min}`)
}
