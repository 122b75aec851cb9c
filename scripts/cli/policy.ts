import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { parse as parseYaml, stringify } from 'yaml'
import { MisuseError } from './errors.ts'
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
      const document = await readPolicyFile(file)
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

/** YAML reads JSON as well. */
export async function readPolicyFile(file: string): Promise<unknown> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new MisuseError(`cannot read ${file}: ${error.code ?? error.message}`)
  })
  try {
    return parseYaml(text)
  } catch (error) {
    throw new MisuseError(`${file} is neither JSON nor YAML: ${String(error)}`)
  }
}
