import { describe, expect, it } from 'vitest'
import { requireComplete } from '../../../src/mcp/bridge/require-complete.ts'
import { taskOnly } from '../../../src/mcp/bridge/task-only.ts'

describe('a result that a legacy client cannot follow', () => {
  it.each([undefined, '{}', '{"resultType":"complete"}', '{"resultType":null}'])(
    'is not %s',
    (result) => {
      expect(requireComplete('s', result)).toBeUndefined()
    },
  )

  it.each(['"task"', '"input_required"', '"of a vendor"', '7'])('is one of type %s', (type) => {
    expect(() => requireComplete('s', `{"resultType":${type}}`)).toThrow(
      expect.objectContaining({ code: 'upstream_failed' }),
    )
  })
})

describe('the error of a tool that runs only as a task', () => {
  it.each([
    '{"code":-32601,"message":"Needs task augmentation"}',
    '{"code":-32021,"message":"Needs task augmentation","data":{"requiredCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}}}',
  ])('says so: %s', (error) => {
    expect(JSON.parse(taskOnly(error))).toMatchObject({
      code: -31017,
      message: expect.stringContaining('The server says: Needs task augmentation'),
    })
  })

  it.each([
    '{"code":-32602,"message":"Unknown tool: x" }',
    '{"code":-32021,"message":"x","data":{"requiredCapabilities":{"elicitation":{}}}}',
    '{"code":-32021,"message":"x"}',
    '7',
  ])('is no other: %s stays', (error) => {
    expect(taskOnly(error)).toBe(error)
  })
})
