import { expect, it } from 'vitest'
import { madeOf, selfTimesOf } from '../../scripts/workerd/profile.ts'

it('adds up the samples of a profile by function, the longest first', () => {
  const node = (id: number, functionName: string, lineNumber: number) => ({
    id,
    callFrame: { functionName, lineNumber },
  })
  const nodes = [node(1, '(program)', -1), node(2, 'send', 9), node(3, '', 4), node(4, '', -1)]
  const profile = { nodes, samples: [2, 1, 2, 3, 4], timeDeltas: [30, 25, 30, 10, 5] }
  expect(selfTimesOf(profile)).toEqual([
    { name: 'send :10', micros: 60 },
    { name: '(program)', micros: 25 },
    { name: 'anonymous :5', micros: 10 },
    { name: 'native', micros: 5 },
  ])
})

it('adds up what was made by function, the most first', () => {
  const node = (functionName: string, selfSize: number, children: Node[] = []): Node => ({
    callFrame: { functionName, lineNumber: functionName === '' ? -1 : 9 },
    selfSize,
    children,
  })
  type Node = Parameters<typeof madeOf>[0]
  const head = node('', 4, [node('send', 30, [node('read', 50)]), node('send', 40)])
  expect(madeOf(head)).toEqual([
    { name: 'send :10', bytes: 70 },
    { name: 'read :10', bytes: 50 },
    { name: 'native', bytes: 4 },
  ])
})
