import { expect, it } from 'vitest'
import { andThen } from '../../src/core/index.ts'

it('goes on at once where nothing is waited for', () => {
  expect(andThen(2, (value) => value + 1)).toBe(3)
  const refuse = (): never => {
    throw new Error('refused')
  }
  expect(() => andThen(2, refuse)).toThrow('refused')
})

it('goes on with what a promise comes to, and not where it rejects', async () => {
  await expect(andThen(Promise.resolve(2), (value) => value + 1)).resolves.toBe(3)
  const refused = Promise.reject(new Error('refused'))
  await expect(andThen(refused, () => 'never')).rejects.toThrow('refused')
})
