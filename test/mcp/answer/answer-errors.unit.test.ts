import { expect, it } from 'vitest'
import { tooLarge } from '../../../src/mcp/answer/answer-errors.ts'

it('an answer that was cut off says at how many bytes, where one era holds less than another', () => {
  expect(tooLarge('shop').message).toBe(
    'The answer of the server "shop" is larger than 33554432 bytes.',
  )
  expect(tooLarge('shop', 8_388_608).message).toContain('larger than 8388608 bytes')
})
