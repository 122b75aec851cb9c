import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { startChild } from '../../scripts/start/child.ts'
import { ROOT } from '../../scripts/start/state.ts'
import { createCleanups, withCleanups } from '../../scripts/workerd/cleanups.ts'

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

describe('work with cleanups', () => {
  it('gives its result when everything is undone', async () => {
    const ran: string[] = []
    const result = await withCleanups(async (cleanups) => {
      cleanups.add(async () => ran.push('gateway'))
      return 'measured'
    })
    expect([result, ...ran]).toEqual(['measured', 'gateway'])
  })

  it('fails with what went wrong first, not with what went wrong after it', async () => {
    const say = vi.spyOn(console, 'error').mockReturnValue()
    const ran: string[] = []
    const work = withCleanups(async (cleanups) => {
      cleanups.add(async () => ran.push('folder'))
      cleanups.add(() => Promise.reject(new Error('would not stop')))
      throw new Error('no answer')
    })
    await expect(work).rejects.toThrow('no answer')
    expect(ran).toEqual(['folder'])
    expect(String(say.mock.lastCall)).toContain('would not stop')
    say.mockRestore()
  })

  it('fails with a cleanup that fails alone', async () => {
    const work = withCleanups(async (cleanups) => {
      cleanups.add(() => Promise.reject(new Error('would not stop')))
    })
    await expect(work).rejects.toThrow('would not stop')
  })

  it('leaves signals alone when it is over', async () => {
    const before = process.listenerCount('SIGTERM')
    await withCleanups(async () => expect(process.listenerCount('SIGTERM')).toBe(before + 1))
    expect(process.listenerCount('SIGTERM')).toBe(before)
  })

  it.each(['SIGINT', 'SIGTERM'] as const)('is undone by %s', async (signal) => {
    const lines: string[] = []
    const source = `
      import { withCleanups } from ${JSON.stringify(join(ROOT, 'scripts/workerd/cleanups.ts'))}
      await withCleanups((cleanups) => {
        cleanups.add(() => Promise.reject(new Error('would not stop')))
        cleanups.add(async () => console.log('undone'))
        setInterval(() => {}, 1000)
        console.log('at work')
        return new Promise(() => {})
      })`
    const child = startChild({
      name: 'work',
      args: ['--input-type=module', '-e', source],
      onLine: (line) => lines.push(line),
    })
    await expect.poll(() => lines).toContain('at work')
    process.kill(child.pid, signal)
    expect(await child.exited).toBe('exit code 1')
    await expect.poll(() => lines).toContain('undone')
  })
})
