import type { Command } from 'commander'
import { prepareStateFolder } from '../start/state.ts'
import { applyMigrations } from '../start/wrangler.ts'
import { sessionOf } from './session.ts'

/** `db migrate`. */
export function addDbCommands(program: Command): void {
  program
    .command('db')
    .description('the registry database (D1)')
    .command('migrate')
    .description('apply the migrations that are missing')
    .option('--remote', 'on the deployed database instead of the local one')
    .action(async (options: { remote?: boolean }, command: Command) => {
      const target = options.remote ? 'remote' : 'local'
      await prepareStateFolder()
      const output = await applyMigrations(target)
      sessionOf(command).print({ migrated: target, output }, output)
    })
}
