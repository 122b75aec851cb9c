/**
 * What the tools of an upstream did, by the `nonce` in their arguments, and what there is to list
 * and to read: the same for either era, so that a cell asks the same questions of both.
 */
export interface Stage {
  /** How often a tool began with this nonce, and how often it came to its end. */
  starts(nonce: string): number
  ends(nonce: string): number
  /** Whether the running tool was told to stop. */
  isAborted(nonce: string): boolean
  readonly tools: readonly ToolOffer[]
  /** How many of the tools were there from the beginning. */
  readonly offered: number
  readonly resources: readonly ResourceOffer[]
  textOf(uri: string): string | undefined

  began(nonce: string): void
  ended(nonce: string): void
  aborted(nonce: string): void
  /** True the first time. */
  visit(nonce: string): boolean
  addTool(): ToolOffer
  rewrite(uri: string): void
}

export interface ToolOffer {
  readonly name: string
  readonly description: string
  readonly inputSchema: { readonly type: 'object' }
  readonly outputSchema?: Readonly<Record<string, unknown>>
}

export interface ResourceOffer {
  readonly name: string
  readonly uri: string
}

/** @see Stage */
export function createStage(offered: readonly ToolOffer[]): Stage {
  const starts = new Map<string, number>()
  const ends = new Map<string, number>()
  const aborted = new Set<string>()
  const visited = new Set<string>()
  const versions = new Map(RESOURCES.map(({ uri }) => [uri, 1]))
  const tools = [...offered]
  const count = (counts: Map<string, number>, nonce: string) =>
    void counts.set(nonce, (counts.get(nonce) ?? 0) + 1)
  return {
    starts: (nonce) => starts.get(nonce) ?? 0,
    ends: (nonce) => ends.get(nonce) ?? 0,
    isAborted: (nonce) => aborted.has(nonce),
    tools,
    offered: offered.length,
    resources: RESOURCES,
    textOf(uri) {
      const version = versions.get(uri)
      return version === undefined ? undefined : `version ${version}`
    },
    began: (nonce) => count(starts, nonce),
    ended: (nonce) => count(ends, nonce),
    aborted: (nonce) => void aborted.add(nonce),
    visit: (nonce) => !visited.has(nonce) && Boolean(visited.add(nonce)),
    addTool() {
      const tool = {
        name: `late_${tools.length - offered.length + 1}`,
        description: 'Came later.',
        inputSchema: { type: 'object' as const },
      }
      tools.push(tool)
      return tool
    },
    rewrite: (uri) => void versions.set(uri, (versions.get(uri) ?? 0) + 1),
  }
}

/** More than a page. */
const RESOURCES: readonly ResourceOffer[] = [
  'watched',
  'unwatched',
  'third',
  'fourth',
  'fifth',
  'sixth',
  'seventh',
].map((name) => ({ name, uri: `matrix://${name}` }))

/** How many items a page of a list has. */
export const PAGE_ITEMS = 5

/** One page of a list. The cursor has bytes that only an exact copy keeps. */
export function pageOf<T>(items: readonly T[], cursor: string | undefined) {
  const start = cursor === undefined ? 0 : Number(/^from "(\d+)"/.exec(cursor)?.[1] ?? items.length)
  const end = start + PAGE_ITEMS
  const more = end < items.length ? { nextCursor: `from "${end}" näh/+=` } : {}
  return { page: items.slice(start, end), more }
}
