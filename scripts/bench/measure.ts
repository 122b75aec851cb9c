import { residentMiB } from '../workerd/resident.ts'
import { cpuSecondsOf } from './cpu.ts'
import type { LoadResult, LoadTool } from './load/load.ts'
import type { Target } from './rows/row.ts'

/** One target at one concurrency in one round. */
export interface Sample extends LoadResult {
  readonly target: string
  readonly concurrency: number
  readonly round: number
  readonly requestsPerSecond: number
  /** Of the target's processes; absent where the system does not tell. */
  readonly cpuMicrosPerRequest?: number
  readonly residentMiB?: number
}

export interface Plan {
  readonly targets: readonly Target[]
  readonly concurrencies: readonly number[]
  readonly rounds: number
  /** Of each sample. */
  readonly seconds: number
  /** Of each target, before the first round: code is compiled. */
  readonly warmUpSeconds: number
  toolFor(target: Target): LoadTool
  /** Runs right before each sample and is not counted: one correct answer. Throws without it. */
  prepare(target: Target): Promise<unknown>
  say(text: string): void
}

/** Enough to compile everything, not so much that it queues. */
const WARM_UP_CONCURRENCY = 32
/** Between two samples: what the last one left unanswered ends, and is not counted to the next. */
const SETTLE_MS = 50

/**
 * Measures everything in every round, in an order that changes from round to round, so that a
 * machine that drifts does it to all alike. Throws at the first failed answer.
 */
export async function measureInterleaved(plan: Plan): Promise<Sample[]> {
  const { targets, concurrencies, rounds, say } = plan
  for (const target of targets) {
    const concurrency = Math.min(WARM_UP_CONCURRENCY, Math.max(...concurrencies))
    await plan.toolFor(target).run({ target, concurrency, seconds: plan.warmUpSeconds })
  }
  const samples: Sample[] = []
  for (let round = 0; round < rounds; round += 1) {
    say(`round ${round + 1} of ${rounds}`)
    for (const concurrency of concurrencies) {
      for (const target of inOrder(targets, round)) {
        samples.push(await sample(plan, target, concurrency, round))
      }
    }
  }
  return samples
}

/** Begins one pair further on each round, every second round backwards: none always comes first. */
export function inOrder(targets: readonly Target[], round: number): Target[] {
  const pairs = pairsOf(targets)
  const at = pairs.length === 0 ? 0 : round % pairs.length
  const turned = [...pairs.slice(at), ...pairs.slice(0, at)].flat()
  return round % 2 === 1 ? turned.reverse() : turned
}

/** What is compared is measured one right after the other: a machine drifts least in a second. */
function pairsOf(targets: readonly Target[]): Target[][] {
  const pairs = Map.groupBy(targets, ({ name, ceiling }) => ceiling ?? name)
  return [...pairs.values()]
}

async function sample(
  plan: Plan,
  target: Target,
  concurrency: number,
  round: number,
): Promise<Sample> {
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
  // What a pause has let go stale is read again before, as in a gateway that is always busy.
  await plan.prepare(target)
  const before = await cpuSecondsOf(target.pids)
  const { seconds } = plan
  const result = await plan.toolFor(target).run({ target, concurrency, seconds })
  if (result.requests === 0) throw new Error(`${target.name} answered nothing in ${seconds} s`)
  const after = await cpuSecondsOf(target.pids)
  const resident = await residentMiB(target.pids)
  return {
    ...result,
    target: target.name,
    concurrency,
    round,
    requestsPerSecond: result.requests / result.seconds,
    ...(before === undefined || after === undefined
      ? {}
      : { cpuMicrosPerRequest: ((after - before) * 1e6) / result.requests }),
    ...(resident === undefined ? {} : { residentMiB: resident }),
  }
}
