import { readFile } from 'node:fs/promises'

/** Resident MiB of processes together; undefined where there is no /proc. */
export async function residentMiB(pids: readonly number[]): Promise<number | undefined> {
  if (pids.length === 0) return undefined
  let total = 0
  for (const pid of pids) {
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
    const kib = /^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]
    if (kib === undefined) return undefined
    total += Number(kib) / 1024
  }
  return total
}
