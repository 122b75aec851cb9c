import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createEvents } from '../../src/observability/index.ts'

function written() {
  const lines: string[] = []
  let now = 0
  const events = createEvents(
    (line) => lines.push(line),
    () => now,
  )
  const emitAt = (ms: number): Record<string, unknown> => {
    now = ms
    events.emit({ type: 'health_round', endpoints: 1, objects: 2 })
    return JSON.parse(lines.at(-1) ?? '')
  }
  return { lines, emitAt }
}

describe('events', () => {
  it('are one line of JSON each, with the time in front', () => {
    const { lines, emitAt } = written()
    emitAt(1_000)
    expect(lines).toEqual([
      '{"time":"1970-01-01T00:00:01.000Z","type":"health_round","endpoints":1,"objects":2}',
    ])
  })

  it('tell their time as dates do, however it goes on', () => {
    // Of some seconds, so that many share one, and a clock that goes back is among them.
    const near = fc.integer({ min: 1_763_800_000_000, max: 1_763_800_003_000 })
    const any = fc.integer({ min: 0, max: 8_640_000_000_000_000 })
    fc.assert(
      fc.property(fc.array(fc.oneof(near, any), { minLength: 1, maxLength: 20 }), (times) => {
        const { emitAt } = written()
        for (const ms of times) expect(emitAt(ms)['time']).toBe(new Date(ms).toISOString())
      }),
    )
  })
})
