import { modernCall } from './messages.ts'
import type { Row } from './row.ts'

/** (a) The upstream itself. */
export const direct: Row = {
  letter: 'a',
  isQuick: true,
  start: async ({ upstream }) => [
    {
      name: 'direct',
      url: upstream.url('modern'),
      ...modernCall('echo'),
      pids: [upstream.pid],
      answer: 'message',
    },
  ],
}
