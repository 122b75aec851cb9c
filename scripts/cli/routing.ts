import { type Command, InvalidArgumentError, Option } from 'commander'
import { BALANCER_NAMES, type ResilienceSettings } from '../../src/resilience/index.ts'

type HashBy = ResilienceSettings['hashBy']

/** How the calls of a server are spread over its endpoints, as options say it. */
export interface RoutingOptions {
  readonly balancer?: ResilienceSettings['balancer']
  readonly hashBy?: HashBy
}

/** `--balancer` and `--hash-by`. */
export function addRoutingOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--balancer <algorithm>', 'how calls are spread over the endpoints').choices(
        BALANCER_NAMES,
      ),
    )
    .option(
      '--hash-by <what>',
      'what consistent-hash keeps together: principal, session or header:<name>',
      hashByOf,
    )
}

/** The `resilience` of a server with what the options say; the rest stays. */
export function withRouting(
  before: Readonly<Record<string, unknown>>,
  { balancer, hashBy }: RoutingOptions,
): Readonly<Record<string, unknown>> {
  return { ...before, ...(balancer ? { balancer } : {}), ...(hashBy ? { hashBy } : {}) }
}

function hashByOf(text: string): HashBy {
  if (text === 'principal' || text === 'session') return text
  const [, header] = /^header:(.+)$/.exec(text) ?? []
  if (header !== undefined) return { header }
  throw new InvalidArgumentError('must be principal, session or header:<name>')
}
