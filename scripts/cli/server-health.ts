import type { Command } from 'commander'
import { z } from 'zod'
import { ofServer, serverPath } from './server-api.ts'
import { sessionOf } from './session.ts'
import { table } from './table.ts'

/** The members of the API's answers that are shown; the rest goes to `--json` untouched. */
const Server = z.looseObject({
  endpoints: z.array(z.looseObject({ id: z.string(), url: z.string() })),
})
const Health = z.looseObject({
  endpoints: z.array(
    z.looseObject({
      id: z.string(),
      health: z.string(),
      breaker: z.string(),
      consecutiveFailures: z.number(),
      lastLatencyMs: z.number().nullable(),
      lastProbedAt: z.string().nullable(),
      lastError: z.string().nullable(),
    }),
  ),
})

const HEAD = ['endpoint', 'breaker', 'health', 'failed checks', 'ms', 'last check', 'last error']

/** `server health <path>`: what checks found of each endpoint, and whether calls are sent to it. */
export function addServerHealthCommand(server: Command): void {
  server
    .command('health <path>')
    .description('what the last checks found, and what breakers let through')
    .action(async (path: string, _options: object, command: Command) => {
      const session = sessionOf(command)
      const api = await session.api()
      const at = serverPath(path)
      const answer = await ofServer(api, path, () => api.request('GET', `${at}/health`))
      const { endpoints } = Health.parse(answer)
      const { endpoints: known } = Server.parse(await api.request('GET', at))
      const urls = new Map(known.map(({ id, url }) => [id, url]))
      const rows = endpoints.map((endpoint) => [
        urls.get(endpoint.id) ?? endpoint.id,
        endpoint.breaker.replace('_', ' '),
        endpoint.health,
        String(endpoint.consecutiveFailures),
        String(endpoint.lastLatencyMs ?? ''),
        endpoint.lastProbedAt ?? 'never',
        endpoint.lastError ?? '',
      ])
      session.print(answer, table(HEAD, rows))
    })
}
