import { Command, CommanderError } from 'commander'
import { addCallCommand } from './cli/call.ts'
import { addDbCommands } from './cli/db.ts'
import { reportError } from './cli/errors.ts'
import { addFindCommands } from './cli/find.ts'
import { addFleetCommands } from './cli/fleet.ts'
import { addHealthCommand } from './cli/health.ts'
import { addLimitCommands } from './cli/limit.ts'
import { addPolicyCommands } from './cli/policy.ts'
import { addServerCommands } from './cli/server.ts'
import { addTokenCommands } from './cli/token.ts'
import { addValidateCommand } from './cli/validate.ts'
import { addVirtualCommands } from './cli/virtual.ts'

/** `npm run gatehouse -- <noun> <verb>`. Exit code: 0 done, 1 failed, 2 used wrongly. */
const program = new Command('gatehouse')
  .description('Manage a Gatehouse: its servers, tokens, policy and database.')
  .option('--url <origin>', 'the gateway (GATEHOUSE_URL; default: what npm start started)')
  .option('--token <jwt>', 'as whom (GATEHOUSE_TOKEN; default: the local administrator)')
  .option('--json', 'answer with JSON')
  .showHelpAfterError('(--help shows the usage)')
  .exitOverride()

for (const add of [
  addTokenCommands,
  addServerCommands,
  addVirtualCommands,
  addFleetCommands,
  addPolicyCommands,
  addLimitCommands,
  addHealthCommand,
  addFindCommands,
  addCallCommand,
  addValidateCommand,
  addDbCommands,
]) {
  add(program)
}
// Whoever takes a verb for another is shown those that there are.
for (const noun of program.commands) if (noun.commands.length > 0) noun.showHelpAfterError(true)

try {
  await program.parseAsync()
} catch (error) {
  process.exitCode =
    error instanceof CommanderError
      ? exitCodeOf(error)
      : reportError(error, program.opts()['json'] === true)
}

/** Commander has printed its own message; help and version are no errors, help for want of a verb is. */
function exitCodeOf(error: CommanderError): 0 | 2 {
  return error.exitCode === 0 ? 0 : 2
}
