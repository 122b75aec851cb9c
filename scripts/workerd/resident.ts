import { readFile } from 'node:fs/promises'

/** Resident memory of processes together; undefined where there is no /proc, or one is gone. */
export async function residentBytes(pids: readonly number[]): Promise<number | undefined> {
  if (pids.length === 0) return undefined
  let total = 0
  for (const pid of pids) {
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
    const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]
    if (kibibytes === undefined) return undefined
    total += Number(kibibytes) * 1024
  }
  return total
}

/** @see residentBytes */
export async function residentMiB(pids: readonly number[]): Promise<number | undefined> {
  const bytes = await residentBytes(pids)
  return bytes === undefined ? undefined : bytes / 2 ** 20
}
