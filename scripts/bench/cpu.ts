import { execFileSync } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'

let ticksPerSecond: number | undefined

/** CPU seconds that processes have used together; undefined where the system does not tell. */
export async function cpuSecondsOf(pids: readonly number[]): Promise<number | undefined> {
  if (pids.length === 0) return undefined
  let total = 0
  for (const pid of pids) {
    const seconds = (await scheduledSeconds(pid)) ?? (await tickSeconds(pid))
    if (seconds === undefined) return undefined
    total += seconds
  }
  return total
}

/** Of all living threads, to the nanosecond: a tick is 10 ms, 1 % of a round. */
async function scheduledSeconds(pid: number): Promise<number | undefined> {
  const folder = `/proc/${pid}/task`
  const threads = await readdir(folder).catch(() => undefined)
  if (threads === undefined) return undefined
  let nanos = 0
  for (const thread of threads) {
    const text = await readFile(`${folder}/${thread}/schedstat`, 'utf8').catch(() => undefined)
    if (text === undefined) return undefined
    nanos += Number(text.split(' ')[0])
  }
  return nanos / 1e9
}

/** User and system time in clock ticks, where schedstat is not compiled in. */
async function tickSeconds(pid: number): Promise<number | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  if (stat === undefined) return undefined
  // The command in parentheses may hold anything; utime and stime are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  ticksPerSecond ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}
