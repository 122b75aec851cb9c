import type { CallContext } from '../../core/index.ts'
import type { ChangeEntry } from '../../observability/index.ts'
import type { Actor } from '../../policy/index.ts'
import type { VerbDeps } from '../verb-deps.ts'
import { checkSelectors } from './fleet-choices.ts'
import { type Choice, checkChoices, countItems } from './virtual-choices.ts'
import { type Offers, offersOf, pinChoices } from './virtual-pins.ts'
import type { VirtualItem } from './virtual-record.ts'
import type { StoredVirtual, VirtualChanges } from './virtual-rows.ts'
import { type VirtualServerOut, virtualOutOf } from './virtual-views.ts'

/** What a write to a virtual server comes to. */
export interface VirtualUpdate {
  readonly changes: VirtualChanges
  readonly action: ChangeEntry['action']
  readonly summary: ChangeEntry['summary']
  /** Of the items it has afterwards. */
  readonly offers: Offers
}

type Deps = Pick<VerbDeps, 'repositories' | 'snapshots'>

/** Writes an authorised update with its change-log row, and shows what came of it. */
export async function updateVirtual(
  deps: Deps,
  ctx: CallContext,
  actor: Actor,
  virtual: StoredVirtual,
  { changes, action, summary, offers }: VirtualUpdate,
): Promise<VirtualServerOut> {
  const { tenant, path: target } = virtual
  const change = { tenant, actor: actor.principal.key, action, target, summary }
  await deps.repositories.virtuals.update(ctx, virtual, changes, change)
  deps.snapshots.drop(tenant)
  const items = changes.items ?? virtual.items
  const updatedAt = ctx.clock.now()
  const updated = { ...virtual, ...changes, items, counts: countItems(items), updatedAt }
  return virtualOutOf(actor, updated, offers)
}

/** The update of a PUT or a PATCH: new choices are pinned, `kept` items stay as they are. */
export async function updateChoices(
  deps: Deps,
  ctx: CallContext,
  actor: Actor,
  virtual: StoredVirtual,
  wanted: {
    readonly columns: Omit<VirtualChanges, 'items'>
    readonly choices: readonly Choice[]
    readonly kept: readonly VirtualItem[]
  },
): Promise<VirtualServerOut> {
  checkChoices(wanted.choices, wanted.kept)
  const offers = await loadOffers(deps, virtual.tenant, [...wanted.choices, ...wanted.kept])
  const pinned = pinChoices(actor, wanted.choices, virtual.items, offers)
  await checkSelectors(deps, virtual.tenant, pinned, offers, wanted.choices)
  const items = [...pinned, ...wanted.kept]
  const hasNewItems = JSON.stringify(items) !== JSON.stringify(virtual.items)
  const changes = { ...wanted.columns, ...(hasNewItems && { items }) }
  return updateVirtual(deps, ctx, actor, virtual, {
    changes,
    action: 'virtual.update',
    summary: { changed: changedNames(virtual, changes) },
    offers,
  })
}

/** What is offered now of the items. */
export async function loadOffers(
  { repositories }: Pick<VerbDeps, 'repositories'>,
  tenant: StoredVirtual['tenant'],
  items: readonly Omit<VirtualItem, 'contentHash'>[],
): Promise<Offers> {
  return offersOf(await repositories.virtuals.offered(tenant, items))
}

function changedNames(virtual: StoredVirtual, changes: VirtualChanges): string[] {
  const current: Readonly<Record<string, unknown>> = { ...virtual }
  return Object.entries(changes)
    .filter(([name, value]) => JSON.stringify(current[name]) !== JSON.stringify(value))
    .map(([name]) => name)
}
