import type { Change } from './notice.ts'

/** Resources and tasks of one server that have changed, on their way to whoever listens. */
export interface ItemChanges {
  /** Told at once; one that was told within the last second, when that is over, as it is then. */
  add(change: ItemChange): void
}

export type ItemChange = Exclude<Change, { kind: 'list' }>

export interface ItemChangesDeps {
  readonly send: (change: ItemChange) => Promise<void>
  /** From one time that an item is told to the next. */
  readonly restMs: number
  readonly onFault: (thrown: unknown) => void
  readonly waitUntil: (work: Promise<unknown>) => void
}

/** That are not told yet, or rest; a server that says more is not listened to. */
const MAX_HELD = 1_000

/** @see ItemChanges */
export function createItemChanges(deps: ItemChangesDeps): ItemChanges {
  const pending = new Map<string, ItemChange>()
  /** Told lately, each with what it has become since. */
  const resting = new Map<string, ItemChange | undefined>()
  let isTelling = false

  function rest(key: string): void {
    resting.set(key, undefined)
    setTimeout(() => {
      const changed = resting.get(key)
      resting.delete(key)
      if (changed) add(changed)
    }, deps.restMs)
  }

  async function tellAll(): Promise<void> {
    isTelling = true
    for (const [key, change] of pending) {
      pending.delete(key)
      rest(key)
      await deps.send(change).catch(deps.onFault)
    }
    isTelling = false
  }

  function add(change: ItemChange): void {
    const key = keyOf(change)
    if (resting.has(key)) {
      resting.set(key, change)
      return
    }
    if (pending.size + resting.size >= MAX_HELD && !pending.has(key)) return
    pending.set(key, change)
    if (!isTelling) deps.waitUntil(tellAll())
  }

  return { add }
}

/** Of a task only what it is now is told. */
function keyOf(change: ItemChange): string {
  return JSON.stringify([change.kind, change.kind === 'task' ? change.id : change.uri])
}
