import { describe, expect, it } from 'vitest'
import { residentBytes, residentMiB } from '../../scripts/workerd/resident.ts'

describe.runIf(process.platform === 'linux')('the memory of processes', () => {
  it('is what the system counts as resident, of all of them together', async () => {
    const one = process.memoryUsage.rss()
    const found = await residentBytes([process.pid, process.pid])
    expect((found ?? 0) / one).toBeGreaterThan(1.5)
    expect((found ?? 0) / one).toBeLessThan(2.5)
    const mebibytes = await residentMiB([process.pid])
    expect(((mebibytes ?? 0) * 1024 * 1024) / one).toBeGreaterThan(0.75)
  })
})

it('is not known of no process, nor of one that is gone', async () => {
  expect(await residentBytes([])).toBeUndefined()
  expect(await residentMiB([process.pid, 2 ** 30])).toBeUndefined()
})
