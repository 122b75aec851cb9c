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
      'what consistent-hash keeps together, which it implies: principal, session or header:<name>',
      hashByOf,
    )
}

/** The `resilience` of a server with what the options say; the rest stays, where it still holds. */
export function withRouting(
  before: Readonly<Record<string, unknown>>,
  { hashBy, balancer = hashBy && 'consistent-hash' }: RoutingOptions,
): Readonly<Record<string, unknown>> {
  if (balancer === undefined) return before
  const { hashBy: old, ...rest } = before
  const kept = hashBy ?? (balancer === 'consistent-hash' ? old : undefined)
  return { ...rest, balancer, ...(kept === undefined ? {} : { hashBy: kept }) }
}

function hashByOf(text: string): HashBy {
  if (text === 'principal' || text === 'session') return text
  const [, header] = /^header:(.+)$/.exec(text) ?? []
  if (header !== undefined) return { header }
  throw new InvalidArgumentError('must be principal, session or header:<name>')
}
