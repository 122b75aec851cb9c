import type { Command } from 'commander'
import { stringify } from 'yaml'
import { readDocument } from './read-document.ts'
import { sessionOf } from './session.ts'

const POLICY_PATH = '/api/v1/policy'

/** `policy apply <file>` and `policy show`. */
export function addPolicyCommands(program: Command): void {
  const policy = program.command('policy').description('who may do what')

  policy
    .command('apply <file>')
    .description('replace the policy by a .json, .yml or .yaml file in the layout of scopes.yml')
    .action(async (file: string, _options: object, command: Command) => {
      const session = sessionOf(command)
      const document = await readDocument(file)
      const answer = await (await session.api()).request('PUT', POLICY_PATH, document)
      session.print(answer, `applied ${file}`)
    })

  policy
    .command('show')
    .description('show the policy in force, as YAML')
    .action(async (_options: object, command: Command) => {
      const session = sessionOf(command)
      const answer = await (await session.api()).request('GET', POLICY_PATH)
      session.print(answer, stringify(answer).trimEnd())
    })
}
