import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { interopPath } from './interop.ts'

/** The MCP Inspector's command line, as anyone would run it. */
export interface InspectorRun {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

const RUN_DEADLINE_MS = 15_000

/** Runs one method, over the transport that `args` name; a home of its own keeps it from reading or leaving files in the user's. */
export async function inspect(
  url: string,
  token: string,
  args: readonly string[],
): Promise<InspectorRun> {
  const home = await mkdtemp(join(tmpdir(), 'gatehouse-inspector-'))
  const command = [
    interopPath('@modelcontextprotocol/inspector', 'clients/launcher/build/index.js'),
    '--cli',
    url,
    '--header',
    `Authorization: Bearer ${token}`,
    '--stored-auth-only',
    '--format',
    'json',
    ...args,
  ]
  try {
    return await new Promise((resolve) => {
      execFile(
        process.execPath,
        command,
        { env: { ...process.env, HOME: home }, timeout: RUN_DEADLINE_MS },
        (error, stdout, stderr) => {
          resolve({ exitCode: error ? Number(error.code ?? -1) : 0, stdout, stderr })
        },
      )
    })
  } finally {
    await rm(home, { recursive: true })
  }
}
