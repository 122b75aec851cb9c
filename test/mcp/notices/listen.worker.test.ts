import { describe, expect, it } from 'vitest'
import { readEvents } from '../../support/event-reader.ts'
import { world } from './world.ts'

describe('a stream of changes', () => {
  // req: listen-bounded
  it('ends when its client is five hundred changes behind, and holds no more of them', async () => {
    const { held, tell, listen } = world()
    const events = readEvents(await listen({ resourceSubscriptions: ['x://a'] }))
    for (let at = 0; at < 600; at += 1) await tell({ kind: 'resource', uri: `x://a/${at}` })
    let updates = 0
    for (;;) {
      const event = await events.next()
      if (event === undefined) break
      if (event.includes('notifications/resources/updated')) updates += 1
      else if (!event.includes('acknowledged')) expect(event).toContain('"resultType":"complete"')
    }
    expect(updates).toBeLessThan(100)
    await expect.poll(() => held.events).toBe(0)
  })

  // req: list-changed-once
  it('tells once of a notice that is handed over again', async () => {
    const { tell, listen } = world()
    const events = readEvents(
      await listen({ toolsListChanged: true, resourceSubscriptions: ['x:1'] }),
    )
    expect(await events.next()).toContain('acknowledged')
    await tell({ kind: 'list', list: 'tools' }, 'one')
    expect(await events.next()).toContain('tools/list_changed')
    await tell({ kind: 'list', list: 'tools' }, 'one')
    await tell({ kind: 'resource', uri: 'x:1' })
    expect(await events.next()).toContain('resources/updated')
    await events.cancel()
  })

  it('does not begin for a client that left while it was opened', async () => {
    const leaving = new AbortController()
    leaving.abort()
    const { held, facts, listen } = world({ signal: leaving.signal })
    const events = readEvents(await listen({ toolsListChanged: true }))
    expect(await events.next()).toBeUndefined()
    expect(facts.outcome).toBe('cancelled')
    await expect.poll(() => held.events).toBe(0)
  })
})
