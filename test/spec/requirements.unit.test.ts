import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { REQUIREMENTS, STATEMENTS } from './requirements.ts'

/** `// req: <id>` above a test, alone on its line; several stand one below the other. */
const CITATION = /^\s*\/\/ req: (.*)$/
const COMMENT = /^\s*\/\//
const TEST = /^\s*it(\.each|\.for)?\b/

interface Citation {
  readonly id: string
  /** Path and line. */
  readonly where: string
  /** Whether a test follows at once. */
  readonly isAboveTest: boolean
}

const TESTS = join(import.meta.dirname, '..')

async function testFiles(): Promise<string[]> {
  const names = await readdir(TESTS, { recursive: true })
  return names.filter((name) => name.endsWith('.test.ts') && !name.includes('node_modules')).sort()
}

function citationsIn(file: string, text: string): Citation[] {
  const lines = text.split('\n')
  return lines.flatMap((line, index) => {
    const id = CITATION.exec(line)?.[1]?.trim()
    if (id === undefined) return []
    const next = lines.slice(index + 1).find((other) => !COMMENT.test(other)) ?? ''
    return [{ id, where: `${file}:${index + 1}`, isAboveTest: TEST.test(next) }]
  })
}

const cited = (
  await Promise.all(
    (
      await testFiles()
    ).map(async (file) => citationsIn(file, await readFile(join(TESTS, file), 'utf8'))),
  )
).flat()
const citedIds = new Set(cited.map(({ id }) => id))

describe('the requirements', () => {
  it('cover the 25 statements under ids of their own, each with its source', () => {
    expect(STATEMENTS.map(({ statement }) => statement)).toEqual(
      Array.from({ length: 25 }, (_, index) => index + 1),
    )
    expect(new Set(REQUIREMENTS.map(({ statement }) => statement)).size).toBe(25)
    const ids = REQUIREMENTS.map(({ id }) => id)
    expect(ids.filter((id) => !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(id))).toEqual([])
    expect(new Set(ids).size).toBe(ids.length)
    for (const { text, source } of REQUIREMENTS) {
      expect(text).toMatch(/^.+\.$/)
      expect(source).not.toBe('')
    }
  })

  it('are cited above a test, under an id that there is', () => {
    const known = new Set(REQUIREMENTS.map(({ id }) => id))
    expect(cited.filter(({ id }) => !known.has(id)).map(({ id, where }) => [id, where])).toEqual([])
    expect(cited.filter(({ isAboveTest }) => !isAboveTest).map(({ where }) => where)).toEqual([])
  })

  it('are each cited by a test', () => {
    const ids = REQUIREMENTS.map(({ id }) => id)
    const open = ids.filter((id) => !citedIds.has(id))
    const proven = ids.length - open.length
    console.log(
      `requirements: ${proven} of ${ids.length} proven by ${cited.length} citations, of 25 statements`,
    )
    expect(open).toEqual([])
  })
})
