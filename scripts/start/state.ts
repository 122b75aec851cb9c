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

/** Removes what an earlier run left, so that a waiting script does not take it for ours. */
export async function removeDevInfo(): Promise<void> {
  await rm(devInfoPath(), { force: true })
}

function devInfoPath(): string {
  return join(stateDir(), 'dev.json')
}
