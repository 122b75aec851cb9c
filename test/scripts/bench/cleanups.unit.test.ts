import { expect, it } from 'vitest'
import { createCleanups } from '../../../scripts/bench/cleanups.ts'
import { spread } from '../../../scripts/bench/scale/growth.ts'

it('undoes everything once, last first, also when one of them fails', async () => {
  const ran: string[] = []
  const cleanups = createCleanups()
  cleanups.add(async () => ran.push('folder'))
  cleanups.add(() => Promise.reject(new Error('would not stop')))
  cleanups.add(async () => ran.push('gateway'))
  await expect(cleanups.run()).rejects.toThrow('would not stop')
  await cleanups.run()
  expect(ran).toEqual(['gateway', 'folder'])
})

it('does not end before what another caller has begun to undo', async () => {
  let stopped: () => void = () => {}
  const cleanups = createCleanups()
  cleanups.add(
    () =>
      new Promise<void>((resolve) => {
        stopped = resolve
      }),
  )
  const first = cleanups.run()
  let hasEnded = false
  const second = cleanups.run().then(() => {
    hasEnded = true
  })
  await Promise.resolve()
  expect(hasEnded).toBe(false)
  stopped()
  await Promise.all([first, second])
  expect(hasEnded).toBe(true)
})

it('spreads calls evenly over what there is, at most fifty', () => {
  expect(spread(1)).toEqual([1])
  expect(spread(10)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  const many = spread(10_000)
  expect([many.length, many[0], many[1], many[49]]).toEqual([50, 1, 201, 9801])
})
