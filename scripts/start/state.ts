import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { z } from 'zod'

/** The root of the repository. */
export const ROOT = resolve(import.meta.dirname, '../..')

/** Where a local gateway keeps everything: `GATEHOUSE_STATE`, by default `.gatehouse`. */
export function stateDir(): string {
  return resolve(ROOT, process.env['GATEHOUSE_STATE'] || '.gatehouse')
}

/** What scripts need to use a gateway that `npm start` brought up: `<state>/dev.json`. */
export const DevInfo = z.object({
  /** Origin of the gateway. */
  url: z.string(),
  /** Of everything that the caller may use. */
  mcpUrl: z.string(),
  adminToken: z.string(),
  userToken: z.string(),
  servers: z.array(
    z.object({
      path: z.string(),
      /** Of the upstream. */
      url: z.string(),
      /** Of its endpoint on the gateway. */
      mcpUrl: z.string(),
    }),
  ),
})
export type DevInfo = z.infer<typeof DevInfo>

/** Undefined when no gateway was started in this state folder. */
export async function readDevInfo(): Promise<DevInfo | undefined> {
  const text = await readFile(devInfoPath(), 'utf8').catch(() => undefined)
  return text === undefined ? undefined : DevInfo.parse(JSON.parse(text))
}

/** Mode 600, in one step: a reader sees the whole document or none. */
export async function writeDevInfo(info: DevInfo): Promise<string> {
  const path = devInfoPath()
  const draft = `${path}.${process.pid}`
  await writeFile(draft, `${JSON.stringify(info, null, 2)}\n`, { mode: 0o600 })
  await rename(draft, path)
  return path
}

/** Makes the folder, mode 700. */
export async function prepareStateFolder(): Promise<void> {
  await mkdir(stateDir(), { recursive: true })
  await chmod(stateDir(), 0o700)
}

/**
 * Takes the state folder for this process, or throws naming the process that has it: two gateways
 * over one database would each register its own samples under the same paths.
 */
export async function lockState(): Promise<void> {
  const holder = Number(await readFile(lockPath(), 'utf8').catch(() => ''))
  if (holder > 0 && holder !== process.pid && isAlive(holder)) {
    throw new Error(
      `process ${holder} is running on the state folder ${stateDir()}.\n` +
        'Stop it, or choose another folder and port: GATEHOUSE_STATE=.gatehouse-2 PORT=8788 npm start',
    )
  }
  await writeFile(lockPath(), String(process.pid), { mode: 0o600 })
  isLocked = true
}

/** Gives the folder back, and removes `dev.json`, whose gateway is gone. Only what is ours. */
export async function unlockState(): Promise<void> {
  if (!isLocked) return
  await removeDevInfo()
  await rm(lockPath(), { force: true })
}

let isLocked = false

function lockPath(): string {
  return join(stateDir(), 'npm-start.pid')
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    // No such process, or one of somebody else: its number was used again.
    return false
  }
}

/** Removes what an earlier run left, so that a waiting script does not take it for ours. */
export async function removeDevInfo(): Promise<void> {
  await rm(devInfoPath(), { force: true })
}

function devInfoPath(): string {
  return join(stateDir(), 'dev.json')
}
