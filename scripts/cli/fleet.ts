import { type Command, InvalidArgumentError } from 'commander'
import { sessionOf } from './session.ts'

interface Member {
  readonly value: string
  readonly server: string
}

interface Options {
  readonly selector: string
  readonly member: readonly Member[]
  readonly tool?: readonly string[]
  readonly name?: string
  readonly description?: string
}

/** `fleet add <path>`: a virtual server that shows the tools of identical servers once. */
export function addFleetCommands(program: Command): void {
  const fleet = program.command('fleet').description('identical servers, shown as one')

  fleet
    .command('add <path>')
    .description('make a virtual server of them; virtual show, repin and delete are for it too')
    .requiredOption('--selector <argument>', 'the argument that says which server')
    .requiredOption(
      '--member <value=server...>',
      'such as eu=k8s-eu; the first is the model',
      memberOf,
    )
    .option('--tool <name...>', 'these alone; default: all that every member has')
    .option('--name <name>', 'for people; default: the path')
    .option('--description <text>', 'of the argument, for models')
    .action(async (path: string, options: Options, command: Command) => {
      const session = sessionOf(command)
      const { selector, member: members, tool, name = path, description } = options
      const tools = tool?.map((one) => ({ name: one }))
      const body = {
        ...{ path, name },
        fleets: [
          { selector, members, ...(tools && { tools }), ...(description && { description }) },
        ],
      }
      const answer = await (await session.api()).request('POST', '/api/v1/virtual-servers', body)
      session.print(answer, `made ${path}: its tools take "${selector}"`)
    })
}

function memberOf(text: string, before: readonly Member[] = []): readonly Member[] {
  const at = text.lastIndexOf('=')
  if (at <= 0 || at === text.length - 1) throw new InvalidArgumentError('must be {value}={server}')
  return [...before, { value: text.slice(0, at), server: text.slice(at + 1) }]
}
