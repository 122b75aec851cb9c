import type { Command } from 'commander'
import { z } from 'zod'
import { sessionOf } from './session.ts'

const Status = z.looseObject({
  status: z.string(),
  d1: z.string(),
  servers: z.record(z.string(), z.number()).optional(),
})

/** `health`: whether the gateway is alive and can read its registry. Needs no token. */
export function addHealthCommand(program: Command): void {
  program
    .command('health')
    .description('is the gateway alive, and can it read its registry')
    .action(async (_options: object, command: Command) => {
      const session = sessionOf(command)
      const api = await session.api({ anonymous: true })
      const answer = await api.request('GET', '/health')
      const { status, d1, servers = {} } = Status.parse(answer)
      const counts = Object.entries(servers).map(([state, count]) => `${count} ${state}`)
      session.print(answer, `${status}; D1 ${d1}; servers: ${counts.join(', ') || 'unknown'}`)
    })
}
