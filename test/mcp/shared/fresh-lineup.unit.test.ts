import { beforeEach, describe, expect, it } from 'vitest'
import type { ServerId } from '../../../src/core/index.ts'
import {
  CATALOG_FRESH_MS,
  createLiveCatalog,
  type RefreshOutcome,
} from '../../../src/mcp/catalog/live-catalog.ts'
import { createFreshLineup } from '../../../src/mcp/shared/fresh-lineup.ts'
import type { IndexedServer, Snapshots } from '../../../src/registry/index.ts'
import { contextAt, indexed, toolsRequest } from './shared-lists.ts'

const START = 1_000_000_000
let now = START
let asked: ServerId[] = []
let outcome: RefreshOutcome
const index: readonly IndexedServer[] = [indexed(1, 1, START)]

const snapshots = {
  tenant: async () => ({ generation: 1, index: async () => index }),
  drop: () => undefined,
} as unknown as Snapshots

/** One isolate, whose snapshot never changes, as nothing makes a new generation. */
function isolate() {
  const live = createLiveCatalog({
    events: { emit: () => undefined },
    object: () => ({
      async refresh({ serverId }) {
        asked.push(serverId)
        return outcome
      },
    }),
  })
  const freshLineup = createFreshLineup({ snapshots, live })
  return async function list(): Promise<void> {
    const ctx = contextAt(() => now)
    await freshLineup(ctx, toolsRequest('ann'))
    await Promise.all(ctx.behind)
  }
}

beforeEach(() => {
  now = START
  asked = []
})

describe('a stored catalogue', () => {
  it('is asked for again when it is five minutes old, behind the list', async () => {
    const list = isolate()
    outcome = { kind: 'unchanged', checkedAt: START + CATALOG_FRESH_MS }
    now += CATALOG_FRESH_MS - 1
    await list()
    expect(asked).toEqual([])
    now += 1
    await list()
    expect(asked).toHaveLength(1)
  })

  it('that had not changed is left alone for five minutes again', async () => {
    const list = isolate()
    now += CATALOG_FRESH_MS
    outcome = { kind: 'unchanged', checkedAt: now }
    await list()
    for (let passed = 0; passed + 31_000 < CATALOG_FRESH_MS; passed += 31_000) {
      now += 31_000
      await list()
    }
    expect(asked).toHaveLength(1)
    now = START + 2 * CATALOG_FRESH_MS
    await list()
    expect(asked).toHaveLength(2)
  })

  it('that another isolate asked for is five minutes old when that was five minutes ago', async () => {
    const list = isolate()
    const elsewhere = START + 4 * 60_000
    now = START + CATALOG_FRESH_MS
    outcome = { kind: 'unchanged', checkedAt: elsewhere }
    await list()
    now = elsewhere + CATALOG_FRESH_MS - 1
    await list()
    expect(asked).toHaveLength(1)
    now += 1
    await list()
    expect(asked).toHaveLength(2)
  })

  it('is asked for every 30 seconds while its server fails', async () => {
    const list = isolate()
    outcome = { kind: 'failed', reason: 'down' }
    now += CATALOG_FRESH_MS
    await list()
    now += 29_999
    await list()
    expect(asked).toHaveLength(1)
    now += 1
    await list()
    expect(asked).toHaveLength(2)
  })
})
