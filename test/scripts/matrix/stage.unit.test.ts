import { describe, expect, it } from 'vitest'
import { createStage, PAGE_ITEMS, pageOf } from '../../../scripts/matrix/upstreams/stage.ts'
import { offersOf, toolsOf } from '../../../scripts/matrix/upstreams/tools.ts'

describe('the stage of an upstream', () => {
  it.each(['legacy', 'modern'] as const)('offers more than a page in the %s era', (era) => {
    const stage = createStage(offersOf(toolsOf(era)))
    expect(stage.tools.length).toBeGreaterThan(PAGE_ITEMS)
    expect(stage.resources.length).toBeGreaterThan(PAGE_ITEMS)
  })

  it('gives every item once, page by page', () => {
    const items = Array.from({ length: 2 * PAGE_ITEMS + 1 }, (_, index) => index)
    const found: number[] = []
    let cursor: string | undefined
    do {
      const { page, more } = pageOf(items, cursor)
      found.push(...page)
      cursor = more.nextCursor
    } while (cursor !== undefined)
    expect(found).toEqual(items)
    expect(pageOf(items, 'not mine').page).toEqual([])
  })

  it('knows tools that came later, and texts that changed', () => {
    const stage = createStage(offersOf(toolsOf('legacy')))
    const { name } = stage.addTool()
    expect(stage.tools.slice(stage.offered).map((tool) => tool.name)).toEqual([name])
    const [resource] = stage.resources
    const before = stage.textOf(String(resource?.uri))
    stage.rewrite(String(resource?.uri))
    expect(stage.textOf(String(resource?.uri))).not.toBe(before)
    expect(stage.textOf('matrix://unknown')).toBeUndefined()
  })
})
