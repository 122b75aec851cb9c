import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import { createLayoutKeeper } from '../../src/core/kept-layouts.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** How many of so many messages are alive when all else has been collected. */
async function alive(count: number, chars: number): Promise<number> {
  const keep = createLayoutKeeper()
  const messages = Array.from({ length: count }, () => {
    const message = { method: 'tools/call' }
    keep(message, chars)
    return new WeakRef(message)
  })
  // What a reference was asked for in this turn stays until its end.
  await new Promise((resolve) => setTimeout(resolve))
  collect()
  const left = messages.filter((message) => message.deref() !== undefined).length
  keep({}, 0)
  return left
}

it('keeps the last few messages', async () => {
  expect(await alive(3, 100)).toBe(3)
  expect(await alive(100, 100)).toBe(8)
})

it('keeps nothing that takes room', async () => {
  expect(await alive(100, 4_097)).toBe(0)
})
