import type { Command } from 'commander'
import { z } from 'zod'
import { readDocument } from './read-document.ts'
import { type Session, sessionOf } from './session.ts'
import { table } from './table.ts'

const COLLECTION = '/api/v1/limits'

/** The members of the API's answers that are shown; the rest goes to `--json` untouched. */
const Rule = z.looseObject({
  id: z.string(),
  name: z.string(),
  match: z.record(z.string(), z.array(z.string())),
  per: z.array(z.string()),
  limit: z.number(),
  window: z.string().optional(),
  windowMs: z.number().optional(),
  weight: z.number().optional(),
  enabled: z.boolean(),
})
type Rule = z.infer<typeof Rule>
const Rules = z.looseObject({ rules: z.array(Rule) })
const Usage = z.looseObject({
  counters: z.array(
    z.looseObject({
      name: z.string(),
      partition: z.record(z.string(), z.string()),
      limit: z.number(),
      window: z.union([z.string(), z.number()]),
      used: z.number(),
    }),
  ),
  isCut: z.boolean(),
})

/** `limit list|show|add|set|delete|usage`. */
export function addLimitCommands(program: Command): void {
  const limit = program.command('limit').description('rate limits and quotas')

  limit
    .command('list')
    .description('list them by name')
    .action(async (_options: object, command: Command) => {
      const session = sessionOf(command)
      const answer = await (await session.api()).request('GET', COLLECTION)
      const { rules } = Rules.parse(answer)
      session.print(answer, rules.length === 0 ? 'no limits' : tableOf(rules))
    })

  limit
    .command('show <id>')
    .description('show one')
    .action(async (id: string, _options: object, command: Command) => {
      const session = sessionOf(command)
      show(session, await (await session.api()).request('GET', pathOf(id)))
    })

  limit
    .command('add <file>')
    .description('add one from a JSON or YAML file: {name, match?, per, limit, window, weight?}')
    .action(async (file: string, _options: object, command: Command) => {
      const session = sessionOf(command)
      const document = await readDocument(file)
      show(session, await (await session.api()).request('POST', COLLECTION, document))
    })

  limit
    .command('set <id> <file>')
    .description('change the members that a JSON or YAML file names')
    .action(async (id: string, file: string, _options: object, command: Command) => {
      const session = sessionOf(command)
      const document = await readDocument(file)
      show(session, await (await session.api()).request('PATCH', pathOf(id), document))
    })

  limit
    .command('delete <id>')
    .description('delete one')
    .action(async (id: string, _options: object, command: Command) => {
      const session = sessionOf(command)
      await (await session.api()).request('DELETE', pathOf(id))
      session.print({ deleted: id }, `deleted ${id}`)
    })

  limit
    .command('usage')
    .description('show what is used now, the fullest first')
    .action(async (_options: object, command: Command) => {
      const session = sessionOf(command)
      const answer = await (await session.api()).request('GET', `${COLLECTION}/usage`)
      const { counters, isCut } = Usage.parse(answer)
      const rows = counters.map(({ name, partition, limit, window, used }) => [
        ...[name, `${Math.ceil(used)} of ${limit}`, windowText(window)],
        Object.entries(partition)
          .map(([dimension, value]) => `${dimension}=${value}`)
          .join(' '),
      ])
      const list = table(['limit', 'used', 'window', 'of'], rows)
      const more = isCut ? '\nmore than these are in use' : ''
      session.print(answer, rows.length === 0 ? 'nothing is used' : list + more)
    })
}

function pathOf(id: string): string {
  return `${COLLECTION}/${encodeURIComponent(id)}`
}

function show(session: Session, answer: unknown): void {
  session.print(answer, tableOf([Rule.parse(answer)]))
}

function tableOf(rules: readonly Rule[]): string {
  const rows = rules.map(({ id, name, match, per, limit, window, windowMs, weight, enabled }) => [
    ...[id, name, `${limit} a ${windowText(window ?? windowMs ?? '')}`, per.join('+')],
    Object.entries(match)
      .map(([member, values]) => `${member}=${values.join(',')}`)
      .join(' '),
    ...[weight === undefined ? '' : String(weight), enabled ? 'enabled' : 'disabled'],
  ])
  return table(['id', 'name', 'limit', 'per', 'match', 'weight', 'state'], rows)
}

function windowText(window: string | number): string {
  return typeof window === 'number' ? `${window / 1_000} s` : window
}
