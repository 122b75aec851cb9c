import type { Command } from 'commander'
import { z } from 'zod'
import { sessionOf } from './session.ts'
import { table } from './table.ts'

/** The members of the API's answers that are shown; the rest goes to `--json` untouched. */
const Offering = z.looseObject({
  server: z.string(),
  as: z.string(),
  score: z.number(),
  reason: z.string(),
  health: z.string(),
  breaker: z.string(),
  latencyMs: z.number().optional(),
})
type Offering = z.infer<typeof Offering>
const Found = z.looseObject({
  name: z.string().optional(),
  uri: z.string().optional(),
  servers: z.array(Offering),
  others: z.array(Offering).default([]),
})
const Page = z.looseObject({
  tools: z.array(Found).default([]),
  resources: z.array(Found).default([]),
  nextCursor: z.string().optional(),
})

interface Options {
  readonly tag?: string
  readonly text?: string
  readonly cursor?: string
}

/** `find tool|resource [name]`: who has it, in the order in which the gateway would choose. */
export function addFindCommands(program: Command): void {
  const find = program.command('find').description('which servers have a tool or a resource')
  for (const [noun, member, what] of [
    ['tool', 'name', 'a tool by its own name'],
    ['resource', 'uri', 'a resource by its URI'],
  ] as const) {
    find
      .command(`${noun} [${member}]`)
      .description(`${what}; without one, all of them`)
      .option('--tag <tag>', 'only servers with this tag')
      .option('--text <text>', `part of the ${member}`)
      .option('--cursor <cursor>', 'the next page')
      .action(async (named: string | undefined, options: Options, command: Command) => {
        const session = sessionOf(command)
        const { tag, text, cursor } = options
        const given = Object.entries({ [member]: named, tag, text, cursor })
        const query = new URLSearchParams(
          given.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
        )
        const path = `/api/v1/discovery/${noun}s?${query}`
        const answer = await (await session.api()).request('GET', path)
        const { tools, resources, nextCursor } = Page.parse(answer)
        const rows = [...tools, ...resources].flatMap(({ name, uri, servers, others }) => [
          ...servers.map((one) => rowOf(name ?? uri ?? '', one, one.reason)),
          ...others.map((one) => rowOf(name ?? uri ?? '', one, 'other definition')),
        ])
        const more = nextCursor === undefined ? '' : `\nmore: --cursor ${nextCursor}`
        const head = [noun, 'server', 'score', 'why', 'health', 'ms', 'at /mcp']
        session.print(
          answer,
          rows.length === 0 ? `no server has it${more}` : table(head, rows) + more,
        )
      })
  }
}

function rowOf(what: string, offering: Offering, why: string) {
  const { server, score, health, breaker, latencyMs, as } = offering
  const state = breaker === 'closed' ? health : `${health}, breaker ${breaker.replace('_', ' ')}`
  return [what, server, String(score), why, state, String(latencyMs ?? ''), as]
}
