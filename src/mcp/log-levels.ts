import { GatewayError } from '../core/index.ts'

/** From the least to the most severe (RFC 5424; MCP 2025-11-25, Logging). */
const LOG_LEVELS: readonly string[] = [
  ...['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'],
]

/** The level that `logging/setLevel` names. Throws `invalid_params`. */
export function requireLogLevel(params: Readonly<Record<string, unknown>>): string {
  const level = LOG_LEVELS.find((one) => one === params['level'])
  if (level !== undefined) return level
  throw new GatewayError('invalid_params', `The level must be one of ${LOG_LEVELS.join(', ')}.`)
}

/** Whether a message of this level is told to who asked for `wanted` and what is more severe. */
export function isLogged(level: unknown, wanted: string): boolean {
  return isLogLevel(level) && LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(wanted)
}

/** The least severe of the levels; undefined for none. */
export function leastSevere(levels: readonly string[]): string | undefined {
  return LOG_LEVELS.find((level) => levels.includes(level))
}

export function isLogLevel(level: unknown): level is string {
  return typeof level === 'string' && LOG_LEVELS.includes(level)
}
