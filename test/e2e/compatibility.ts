import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { CLIENTS, type ClientName, clientRow, type Era } from './clients/index.ts'
import { type Outcome, type Outcomes, VERBS } from './measure.ts'
import { type Endpoint, KINDS, namesOf } from './offers.ts'

/** What one client did at one endpoint. */
export interface Cell {
  readonly client: ClientName
  readonly endpoint: Endpoint
  /** As the gateway saw it; undefined when no call came. */
  readonly era: Era | undefined
  readonly outcomes: Outcomes
}

const ROOT = join(import.meta.dirname, '../..')
const DOCUMENT = join(ROOT, 'docs/compatibility.md')
const START = '<!-- The matrix: written by test/e2e/interop.e2e.test.ts, not by hand. -->'
const END = '<!-- The end of the matrix. -->'

const HEADINGS = { list: 'list tools', call: 'call', read: 'read', prompt: 'prompt' } as const
/** The endpoints where more is tried than to list and to call. */
const DETAILED = { everything: 'One server of the legacy era', all: 'Everything at once' } as const

/** The generated section: a table of the kinds of upstreams, and one for each detailed endpoint. */
export async function matrixOf(cells: readonly Cell[]): Promise<string> {
  const pinned = await pinnedVersions()
  const rows = (rest: (client: ClientName) => readonly string[]) =>
    namesOf(CLIENTS).map((client) => {
      const name = CLIENTS[client].package
      return [client, `${name} ${pinned[name]}`, ...rest(client)]
    })
  const cellOf = (client: ClientName, endpoint: Endpoint): Cell | undefined =>
    cells.find((cell) => cell.client === client && cell.endpoint === endpoint)

  const kinds = tableOf(
    'Each kind of upstream',
    ['client', 'package', ...Object.values(KINDS).map(({ column }) => column)],
    rows((client) => namesOf(KINDS).map((kind) => kindText(cellOf(client, kind)))),
  )
  const detailed = namesOf(DETAILED).map((endpoint) =>
    tableOf(
      DETAILED[endpoint],
      ['client', 'package', 'era', ...VERBS.map((verb) => HEADINGS[verb])],
      rows((client) => {
        const { era = '', outcomes = {} } = cellOf(client, endpoint) ?? {}
        return [era, ...VERBS.map((verb) => outcomeText(outcomes[verb]))]
      }),
    ),
  )
  return [kinds, ...detailed, notesOf(cells)].join('\n\n')
}

/** The section as the document has it. */
export async function readMatrix(): Promise<string> {
  const { matrix } = await readSections()
  return matrix
}

/** Puts a section into the document, and leaves the rest of it alone. */
export async function writeMatrix(matrix: string): Promise<void> {
  const { before, after } = await readSections()
  await writeFile(DOCUMENT, `${before}${START}\n\n${matrix}\n\n${END}${after}`)
}

async function readSections() {
  const text = await readFile(DOCUMENT, 'utf8')
  const [before = '', rest, ...more] = text.split(START)
  const [matrix, after, ...others] = rest?.split(END) ?? []
  if (matrix === undefined || after === undefined || more.length + others.length > 0) {
    throw new Error('docs/compatibility.md lacks its two markers')
  }
  return { before, matrix: matrix.trim(), after }
}

function tableOf(
  title: string,
  headings: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const lines = [headings, headings.map(() => '---'), ...rows]
  return [`### ${title}`, '', ...lines.map((cells) => `| ${cells.join(' | ')} |`)].join('\n')
}

/** The era on each side when the client listed and called, else what did not work. */
function kindText(cell: Cell | undefined): string {
  if (!cell) return 'not tried'
  const { list, call } = cell.outcomes
  const { eras } = KINDS[cell.endpoint === 'all' ? 'everything' : cell.endpoint]
  if (list === 'yes' && call === 'yes') {
    return cell.era === eras ? eras : `${cell.era} to ${eras}`
  }
  return list === 'yes' ? 'lists, **no call**' : '**no**'
}

function outcomeText(outcome: Outcome | undefined): string {
  if (outcome === undefined) return 'not tried'
  return typeof outcome === 'string' ? outcome : '**no**'
}

/** What failed and why, and what a client lacks. */
function notesOf(cells: readonly Cell[]): string {
  const failures = cells.flatMap(({ client, endpoint, outcomes }) =>
    VERBS.flatMap((verb) => {
      const outcome = outcomes[verb]
      return typeof outcome === 'object'
        ? [`- ${client} at ${endpoint}, ${HEADINGS[verb]}: ${outcome.failed}`]
        : []
    }),
  )
  const lacks = namesOf(CLIENTS).flatMap((client) =>
    Object.values(clientRow(client).client.notOffered ?? {}).map(
      (reason) => `- not offered by ${client}: ${reason}.`,
    ),
  )
  return [...failures, ...lacks].join('\n')
}

const Manifest = z.looseObject({
  dependencies: z.record(z.string(), z.string()).default({}),
  devDependencies: z.record(z.string(), z.string()).default({}),
})

async function pinnedVersions(): Promise<Record<string, string>> {
  const versions: Record<string, string> = {}
  for (const folder of ['test/interop', '.']) {
    const text = await readFile(join(ROOT, folder, 'package.json'), 'utf8')
    const { dependencies, devDependencies } = Manifest.parse(JSON.parse(text))
    Object.assign(versions, dependencies, devDependencies)
  }
  return versions
}
