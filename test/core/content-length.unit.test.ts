import { describe, expect, it } from 'vitest'
import { contentLength } from '../../src/core/index.ts'

const of = (text: string) => contentLength(new Headers({ 'content-length': text }))

describe('contentLength', () => {
  it('is what the header says', () => {
    expect([of('0'), of('17'), of('4194304')]).toEqual([0, 17, 4_194_304])
  })

  it('is undefined without one', () => {
    expect(contentLength(new Headers())).toBeUndefined()
  })

  it.each([
    '',
    '007',
    '+7',
    '-7',
    '-0',
    '7.0',
    '1e3',
    '0x10',
    '7, 7',
    'Infinity',
    'NaN',
    '9'.repeat(20),
  ])('believes nothing that is said in another way: %j', (text) => {
    expect(of(text)).toBeUndefined()
  })
})
