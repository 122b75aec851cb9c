import { describe, expect, it } from 'vitest'
import { createInFlight } from '../../src/mcp/in-flight.ts'

describe('requests in flight', () => {
  it('are found by the id of the client until they end', () => {
    const inFlight = createInFlight()
    const forget = inFlight.add('s', '1', '"up-1"')
    expect(inFlight.find('s', '1')).toBe('"up-1"')
    forget()
    expect(inFlight.find('s', '1')).toBeUndefined()
    forget()
  })

  it('are found however their id is spelled', () => {
    for (const [sent, cancelled] of [
      ['"\\u00fc"', '"ü"'],
      ['"a\\/b"', '"a/b"'],
      ['1.0', '1'],
      ['1e2', '100'],
    ] as const) {
      const inFlight = createInFlight()
      const forget = inFlight.add('s', sent, '"up"')
      expect(inFlight.find('s', cancelled)).toBe('"up"')
      forget()
      expect(inFlight.find('s', cancelled)).toBeUndefined()
    }
  })

  it('are kept apart by scope, and by the type of their id', () => {
    const inFlight = createInFlight()
    inFlight.add('s', '1', '"up-1"')
    expect(inFlight.find('t', '1')).toBeUndefined()
    expect(inFlight.find('s', '"1"')).toBeUndefined()
  })

  it('may share an id: the newest is found, and each ends for itself', () => {
    const inFlight = createInFlight()
    const first = inFlight.add('s', '1', '"up-1"')
    const second = inFlight.add('s', '1', '"up-2"')
    expect(inFlight.find('s', '1')).toBe('"up-2"')
    second()
    expect(inFlight.find('s', '1')).toBe('"up-1"')
    first()
    expect(inFlight.find('s', '1')).toBeUndefined()
  })
})
