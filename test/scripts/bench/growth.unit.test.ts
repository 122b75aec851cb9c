import { expect, it } from 'vitest'
import { spread } from '../../../scripts/bench/scale/growth.ts'

it('spreads calls evenly over what there is, at most fifty', () => {
  expect(spread(1)).toEqual([1])
  expect(spread(10)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  const many = spread(10_000)
  expect([many.length, many[0], many[1], many[49]]).toEqual([50, 1, 201, 9801])
})
