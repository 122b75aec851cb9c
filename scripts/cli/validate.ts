import type { Command } from 'commander'
import { GatewayError } from '../../src/core/index.ts'
import { type ConfigProblem, parseConfig } from '../../src/env.ts'
import { parsePolicySeed } from '../../src/policy/index.ts'
import { readDevVars } from '../start/secrets.ts'
import { ROOT } from '../start/state.ts'
import { readWorkerShape } from '../workerd/bundle.ts'
import { readDocument } from './read-document.ts'
import { sessionOf } from './session.ts'

/** `validate`: the configuration as the Worker will read it, every problem named with its fix. */
export function addValidateCommand(program: Command): void {
  program
    .command('validate')
    .description('check wrangler.toml, .dev.vars and, with --policy, a policy file')
    .option('--env <name>', 'an environment of wrangler.toml, such as production')
    .option('--policy <file>', 'a policy to check as well')
    .action(async (options: { env?: string; policy?: string }, command: Command) => {
      const session = sessionOf(command)
      const problems = [
        ...(await configProblems(options.env)),
        ...(options.policy === undefined ? [] : await policyProblems(options.policy)),
      ]
      const lines = problems.map(
        ({ variable, message, fix }) => `${variable}: ${message}\n  fix: ${fix}`,
      )
      session.print(
        { valid: problems.length === 0, problems },
        lines.join('\n') || 'the configuration is valid',
      )
      if (problems.length > 0) process.exitCode = 1
    })
}

/** Secrets of the process's environment stand over .dev.vars, which is for this machine only. */
async function configProblems(environment?: string): Promise<readonly ConfigProblem[]> {
  const { vars } = await readWorkerShape(`${ROOT}/wrangler.toml`, environment)
  const local = environment === undefined ? await readDevVars() : {}
  const secrets = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => /^GATEHOUSE_(SECRET|SIGNING)/.test(name)),
  )
  const result = parseConfig({ ...vars, ...local, ...secrets })
  if (result.kind === 'config') return []
  // The secrets of a deployed environment lie on the platform, where nobody can read them back.
  const unseen = ({ variable }: ConfigProblem): boolean =>
    environment !== undefined && variable === 'GATEHOUSE_SECRET' && !secrets[variable]
  return result.problems.filter((problem) => !unseen(problem))
}

async function policyProblems(file: string): Promise<ConfigProblem[]> {
  try {
    parsePolicySeed(await readDocument(file))
    return []
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    const listed = error.detail.data?.['problems']
    const problems = Array.isArray(listed) ? listed : [{ path: '', message: error.message }]
    return problems.map(({ path, message }: { path: string; message: string }) => ({
      variable: `${file} ${path}`.trim(),
      message,
      fix: 'Correct it; the README shows the layout.',
    }))
  }
}
