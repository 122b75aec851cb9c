import { describe, expect, it } from 'vitest'
import { createSealer, type Principal, systemRandom } from '../../../src/core/index.ts'
import { createTaskIds, type TaskOf } from '../../../src/mcp/relay/task-ids.ts'

const DAY_MS = 24 * 60 * 60_000
const of = (tenant: string, key: string, ...target: [string, string]): TaskOf => ({
  principal: { tenant, key } as Principal,
  target,
})
const MINE = of('t', 'me', 'mcp', 'server-1')
const TASK = { id: 'their "id"/ü', tool: 'slow' }

function scene() {
  const clock = { now: () => scene.now }
  scene.now = 0
  const sealer = createSealer(['a secret of the deployment, long enough'], {
    clock,
    random: systemRandom,
  })
  return createTaskIds({ sealer, clock })
}
scene.now = 0

describe('the id of a task', () => {
  it('opens for the principal, endpoint and server it was sealed for, and is fit for a header', async () => {
    const ids = scene()
    const sealed = await ids.seal(MINE, TASK)
    expect(sealed).toMatch(/^[\w.-]{1,1000}$/)
    expect(await ids.open(MINE, sealed)).toEqual(TASK)
    expect(await ids.seal(MINE, TASK)).not.toBe(sealed)
  })

  it.each([
    ['another tenant', of('u', 'me', 'mcp', 'server-1')],
    ['another principal', of('t', 'you', 'mcp', 'server-1')],
    ['another endpoint', of('t', 'me', 'desk', 'server-1')],
    ['another server', of('t', 'me', 'mcp', 'server-2')],
  ])('does not open for %s', async (_what, other) => {
    const ids = scene()
    expect(await ids.open(other, await ids.seal(MINE, TASK))).toBeUndefined()
  })

  it.each([undefined, 7, '', 'x', TASK.id, 'x'.repeat(10_000)])(
    'is none of ours: %j',
    async (id) => {
      expect(await scene().open(MINE, id)).toBeUndefined()
    },
  )

  it('is known for 30 days', async () => {
    const ids = scene()
    const sealed = await ids.seal(MINE, TASK)
    scene.now = 30 * DAY_MS - 1
    expect(await ids.open(MINE, sealed)).toEqual(TASK)
    scene.now = 30 * DAY_MS
    expect(await ids.open(MINE, sealed)).toBeUndefined()
  })

  it('is refused when it would be too long for a header', async () => {
    const ids = scene()
    const sealed = await ids.seal(MINE, { ...TASK, id: 'x'.repeat(1_024) })
    expect(sealed.length).toBeLessThan(2_000)
    await expect(ids.seal(MINE, { ...TASK, id: 'x'.repeat(1_025) })).rejects.toMatchObject({
      code: 'upstream_failed',
    })
  })
})
