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
  before: ResilienceSettings,
  { balancer, hashBy }: RoutingOptions,
): ResilienceSettings {
  return { ...before, ...(balancer ? { balancer } : {}), ...(hashBy ? { hashBy } : {}) }
}

/** The same with these members; one that is null is taken back. */
export function withMembers(
  before: ResilienceSettings,
  members: Readonly<Record<string, unknown>>,
): ResilienceSettings {
  const merged = Object.entries({ ...before, ...members })
  return Object.fromEntries(merged.filter(([, value]) => value !== null))
}

function hashByOf(text: string): HashBy {
  if (text === 'principal' || text === 'session') return text
  const [, header] = /^header:(.+)$/.exec(text) ?? []
  if (header !== undefined) return { header }
  throw new InvalidArgumentError('must be principal, session or header:<name>')
}
