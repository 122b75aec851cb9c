import type { TenantId } from '../../core/index.ts'
import type { Offer, OfferKind, Registry } from '../../registry/index.ts'

/** Offers of one name or URI. */
export interface OffersOfKey {
  readonly key: string
  readonly offers: readonly Offer[]
}

/** What a page looks for, behind `after` (empty for the first). */
export interface OfferPageRequest<T> {
  readonly tenant: TenantId
  readonly kind: OfferKind
  readonly after: string
  readonly limit: number
  readonly isMeant: (key: string) => boolean
  /** What is shown of it; undefined for what its reader may not see. */
  readonly show: (found: OffersOfKey) => T | undefined
}

export interface OfferPage<T> {
  readonly items: readonly T[]
  /** Where the next page begins; undefined at the end. */
  readonly next: string | undefined
}

/**
 * Reads of D1 for a page: one that shows little ends early, and its position goes on. A page that
 * begins can always read all of one name: 1 for names, 6 that halve, and at most 10 for it alone.
 */
const MAX_READS = 20
const KEYS_PER_READ = 1_000
/** Names whose offers are read together, and offers of them all. */
const KEYS_TOGETHER = 50
const OFFERS_PER_READ = 2_000

/** Reads names in their order until `limit` of them are shown. Throws what D1 throws. */
export async function offerPage<T>(
  source: Registry['offers'],
  { tenant, kind, after: start, limit, isMeant, show }: OfferPageRequest<T>,
): Promise<OfferPage<T>> {
  const items: T[] = []
  let reads = 0
  let after = start
  while (reads < MAX_READS) {
    reads += 1
    const rows = await source.keys(tenant, kind, after, KEYS_PER_READ)
    const last = rows.at(-1)?.key ?? after
    const keys = [...new Set(rows.map(({ key }) => key))].filter(isMeant)
    let together = KEYS_TOGETHER
    for (let at = 0; at < keys.length; ) {
      if (reads >= MAX_READS) return { items, next: after }
      const some = keys.slice(at, at + together)
      const found = await offersOf(some)
      if (found === undefined) {
        if (some.length === 1) return { items, next: after }
        together = Math.ceil(together / 2)
        continue
      }
      for (const key of some) {
        const shown = show({ key, offers: found.get(key) ?? [] })
        // One more than the page proves that there is a next one.
        if (shown !== undefined && items.length === limit) return { items, next: after }
        if (shown !== undefined) items.push(shown)
        after = key
      }
      at += some.length
    }
    after = last
    if (rows.length < KEYS_PER_READ) return { items, next: undefined }
  }
  return { items, next: after }

  /** Undefined where they are offered by more servers than one read, or those that are left, bring. */
  async function offersOf(keys: readonly string[]) {
    const [only = '', ...others] = keys
    if (others.length === 0) {
      const read = await source.offers(tenant, { kind, key: only }, MAX_READS - reads)
      reads += read.reads
      return read.isWhole ? new Map([[only, read.offers]]) : undefined
    }
    reads += 1
    const offers = await source.ofKeys(tenant, kind, keys, OFFERS_PER_READ)
    return offers.length === OFFERS_PER_READ ? undefined : Map.groupBy(offers, ({ key }) => key)
  }
}
