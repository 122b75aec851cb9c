import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { CLIENTS, type ClientName } from './clients/index.ts'

/** What one client did at one endpoint. */
export interface Cell {
  readonly client: ClientName
  readonly endpoint: string
  readonly era: 'legacy' | 'modern' | 'refused'
  /** Those that were tried; none where the client was refused. */
  readonly verbs: Readonly<Partial<Record<Verb, 'yes' | 'not offered'>>>
}

export type Verb = 'list' | 'call' | 'read' | 'prompt'

const ROOT = join(import.meta.dirname, '../..')
const DOCUMENT = join(ROOT, 'docs/compatibility.md')
const START = '<!-- The matrix: written by test/e2e/interop.e2e.test.ts, not by hand. -->'
const END = '<!-- The end of the matrix. -->'

const HEADINGS = ['client', 'package', 'era', 'list tools', 'call', 'read', 'prompt']
const VERBS: readonly Verb[] = ['list', 'call', 'read', 'prompt']

/** The generated section: one table for each endpoint, in the order of the client table. */
export async function matrixOf(cells: readonly Cell[]): Promise<string> {
  const pinned = await pinnedVersions()
  const endpoints = [...new Set(cells.map(({ endpoint }) => endpoint))].sort()
  const order = Object.keys(CLIENTS)
  const tables = endpoints.map((endpoint) => {
    const rows = cells
      .filter((cell) => cell.endpoint === endpoint)
      .sort((one, other) => order.indexOf(one.client) - order.indexOf(other.client))
      .map((cell) => rowOf(cell, pinned))
    const head = [HEADINGS, HEADINGS.map(() => '---')]
    return [`### \`${endpoint}\``, '', ...[...head, ...rows].map(lineOf)].join('\n')
  })
  return [...tables, notesOf(cells)].join('\n\n')
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

function rowOf({ client, era, verbs }: Cell, pinned: Readonly<Record<string, string>>): string[] {
  const name = CLIENTS[client].package
  const cells = VERBS.map((verb) => (era === 'refused' ? 'refused' : (verbs[verb] ?? 'not tried')))
  return [client, `${name} ${pinned[name]}`, era === 'refused' ? '' : era, ...cells]
}

function lineOf(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`
}

/** Why a client lacks a verb. */
function notesOf(cells: readonly Cell[]): string {
  const shown = new Set(cells.map(({ client }) => client))
  const reasons = [...shown].flatMap((name) => {
    const { client } = CLIENTS[name]
    return [client.read, client.prompt].flatMap((verb) =>
      typeof verb === 'function' ? [] : [`- not offered by ${name}: ${verb.notOffered}.`],
    )
  })
  return reasons.sort().join('\n')
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
