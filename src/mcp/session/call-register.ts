import { type CallContext, type Clock, setBounded } from '../../core/index.ts'
import { createLooks } from './looks.ts'
import { type RunningCall, SESSION_TTL_MS, type SessionState } from './session-state.ts'

/** One call of a legacy session, as far as the session's object is to know of it. */
export interface Registered {
  /** The call is over, or waits to be sent. */
  withdraw(): void
  /** It waited, and goes on. */
  goOn(): void
  /** Nobody reads its answer any more: told at once. */
  suspend(): void
}

/** Tells the objects of sessions which calls have been running for a while. */
export interface CallRegister {
  begin(ctx: CallContext, session: string, call: RunningCall): Registered
  /** Upstream ids of calls that are read by nobody any more, of which the object may not know yet. */
  left(session: string): readonly string[]
}

export interface CallRegisterDeps {
  readonly clock: Clock
  readonly object: (session: string) => Pick<SessionState, 'noteCalls'>
}

/** 100 ms: most calls are over before a client could change its mind; only the others are told of. */
const DUE_STEPS = 2
/**
 * Objects that an isolate asks at once. Where calls are slow because there are so many, asking for
 * each would make them slower still: what is not asked soon is mostly over before its turn comes.
 */
const MAX_TELLING = 16
/** 10 s: an object that has not answered by then is asked again by somebody else. */
const TELLING_STEPS = 200
/** Of one message: a few tens of KiB. */
const MAX_BATCH = 200
/** What one session may have waiting to be told, the oldest out; more than its object would keep. */
const MAX_UNTOLD = 1_000
/** Sessions with something to tell; the oldest out. */
const MAX_BOOKS = 5_000
/** How often one request goes on at once, for calls that were suspended meanwhile. */
const MAX_URGENT = 3

type Known = 'over' | 'running' | 'suspended'

interface Entry {
  readonly session: string
  readonly call: RunningCall
  dueAt: number
  wanted: Known
  /** What the object was told last, if that arrived. */
  told: Known | 'unsure'
  hasFailed: boolean
}

/** On its way to the object. */
interface Telling {
  readonly entries: readonly Entry[]
  readonly since: number
}

/** What the object of one session is to be told. */
interface Book {
  readonly session: string
  readonly untold: Set<Entry>
  telling: Telling | undefined
  toldAt: number
  isUrgent: boolean
}

/**
 * At most one message is under way to an object; what comes meanwhile goes with the next, and a call
 * that ended before its turn is never told of. Age is counted in looks (`looks.ts`): a call is due
 * when it has run for 100 to 150 ms, or a step less where the lead has just changed hands.
 */
export function createCallRegister({ clock, object }: CallRegisterDeps): CallRegister {
  /** That have not run for long; the object knows nothing of them. In the order of `dueAt`. */
  const young = new Set<Entry>()
  const books = new Map<string, Book>()
  let step = 0
  let telling = 0
  const looks = createLooks({
    clock,
    look(ctx) {
      const asked = look(ctx)
      return { asked, isIdle: young.size === 0 && books.size === 0 }
    },
  })

  /** Gives how many objects were asked. */
  function look(ctx: CallContext): number {
    step += 1
    for (const entry of young) {
      if (entry.dueAt > step) break
      young.delete(entry)
      entry.wanted = 'running'
      note(entry)
    }
    let asked = 0
    for (const book of [...books.values()]) {
      const { telling: sent } = book
      if (sent && step - sent.since > TELLING_STEPS) arrived(book, sent)
      if (isDone(book)) books.delete(book.session)
      if (book.untold.size === 0 || !mayTell(book)) continue
      // To the end: the others come first next time.
      books.delete(book.session)
      books.set(book.session, book)
      ctx.waitUntil(tell(book))
      asked += 1
    }
    return asked
  }

  function isDone(book: Book): boolean {
    return book.untold.size === 0 && !book.telling && step > book.toldAt
  }

  function mayTell(book: Book): boolean {
    const isItsTurn = book.isUrgent || step > book.toldAt
    return !book.telling && isItsTurn && telling < MAX_TELLING
  }

  /** Within one request from beginning to end: what it awaits is its own. */
  async function tell(book: Book): Promise<void> {
    for (let times = 0; times <= MAX_URGENT; times += 1) {
      await tellOnce(book)
      if (!book.isUrgent || !mayTell(book)) return
    }
  }

  async function tellOnce(book: Book): Promise<void> {
    const entries = [...book.untold].slice(0, MAX_BATCH)
    const sent = { entries, since: step }
    book.telling = sent
    book.toldAt = step
    telling += 1
    for (const entry of entries) {
      book.untold.delete(entry)
      entry.told = entry.wanted
    }
    book.isUrgent = book.isUrgent && book.untold.size > 0
    try {
      await object(book.session).noteCalls(changesOf(entries), clock.now() + SESSION_TTL_MS)
    } catch (thrown) {
      // Once more: a call that stays known keeps its session from moving.
      for (const entry of entries) {
        if (!entry.hasFailed) book.untold.add(entry)
        entry.hasFailed = true
        entry.told = 'unsure'
      }
      throw thrown
    } finally {
      arrived(book, sent)
    }
  }

  function arrived(book: Book, sent: Telling): void {
    if (book.telling !== sent) return
    book.telling = undefined
    telling -= 1
  }

  function note(entry: Entry): Book {
    const book = books.get(entry.session) ?? newBook(entry.session)
    book.untold.add(entry)
    if (book.untold.size > MAX_UNTOLD) dropOldest(book.untold)
    return book
  }

  function newBook(session: string): Book {
    const untold = new Set<Entry>()
    const book: Book = { session, untold, telling: undefined, toldAt: -1, isUrgent: false }
    setBounded(books, session, book, MAX_BOOKS)
    return book
  }

  function change(ctx: CallContext, entry: Entry, wanted: Known): void {
    young.delete(entry)
    entry.wanted = wanted
    if (entry.told === wanted) {
      books.get(entry.session)?.untold.delete(entry)
      return
    }
    const book = note(entry)
    book.isUrgent ||= wanted === 'suspended'
    if (mayTell(book)) {
      ctx.waitUntil(tell(book))
    } else {
      looks.need(ctx)
    }
  }

  function startToAge(ctx: CallContext, entry: Entry): void {
    const hasWholeStep = looks.need(ctx)
    entry.dueAt = step + DUE_STEPS + (hasWholeStep ? 0 : 1)
    young.add(entry)
  }

  return {
    begin(ctx, session, call) {
      const state = { dueAt: 0, wanted: 'over', told: 'over', hasFailed: false } as const
      const entry: Entry = { session, call, ...state }
      startToAge(ctx, entry)
      return {
        withdraw: () => change(ctx, entry, 'over'),
        goOn: () => startToAge(ctx, entry),
        suspend: () => change(ctx, entry, 'suspended'),
      }
    },

    left(session) {
      const book = books.get(session)
      if (!book) return []
      const entries = [...book.untold, ...(book.telling?.entries ?? [])]
      return entries.filter(({ wanted }) => wanted !== 'running').map(({ call }) => call.upstreamId)
    },
  }
}

function changesOf(entries: readonly Entry[]): Parameters<SessionState['noteCalls']>[0] {
  const running: RunningCall[] = []
  const over: string[] = []
  for (const { call, wanted } of entries) {
    if (wanted === 'over') over.push(call.upstreamId)
    else running.push(wanted === 'suspended' ? { ...call, isSuspended: true } : call)
  }
  return { running, over }
}

function dropOldest(entries: Set<Entry>): void {
  for (const oldest of entries) {
    entries.delete(oldest)
    return
  }
}
