import { type Command, InvalidArgumentError } from 'commander'
import { isPlainObject } from '../../src/core/index.ts'
import { callTool, resultText } from './mcp-call.ts'
import { sessionOf } from './session.ts'

/** `call <server> <tool>`: one tools/call through the gateway, as an agent would make it. */
export function addCallCommand(program: Command): void {
  program
    .command('call <server> <tool>')
    .description('call a tool through the gateway')
    .option('--args <json>', 'arguments, a JSON object', jsonObject, {})
    .action(
      async (
        server: string,
        tool: string,
        options: { args: Record<string, unknown> },
        command: Command,
      ) => {
        const session = sessionOf(command)
        const url = `${await session.url()}/${encodeURIComponent(server)}/mcp`
        const result = await callTool({
          url,
          token: await session.token(),
          tool,
          args: options.args,
        })
        session.print(result, resultText(result))
        if (result.isError) process.exitCode = 1
      },
    )
}

function jsonObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    if (isPlainObject(value)) return value
  } catch {
    // Said below, in the same words as for a JSON value of another type.
  }
  throw new InvalidArgumentError('must be a JSON object such as \'{"message":"hi"}\'')
}
