import type { Line } from './line.ts'
import { noSession } from './link-answers.ts'
import type { Channel } from './link-session.ts'

/** A connection of one client's own: when it is over, so is the session. */
export function createOwnChannel(line: Line): Channel {
  return {
    openLine: () => (line.isOpen() ? line : undefined),
    talk: (_place, text) => ({ kind: 'send', text }),
    leave: () => line.close(),

    async line() {
      return line.isOpen() ? { kind: 'line', line } : { kind: 'none', response: noSession() }
    },
  }
}
