import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

/** STYLE.md section 2: a folder imports only lower ranks, through their face. */
const RANK: Readonly<Record<string, number>> = {
  core: 0,
  http: 1,
  observability: 1,
  identity: 2,
  policy: 2,
  limits: 2,
  resilience: 2,
  registry: 3,
  mcp: 5,
  jobs: 6,
  '.': 7,
}

const SRC = resolve(import.meta.dirname, '../../src')
/** http reports what it could not foresee; observability knows nothing of HTTP. */
const ALLOWED_PEERS = new Set(['http -> observability'])

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => ({ name, text: readFileSync(join(SRC, name), 'utf8') }))

const roomOf = (name: string): string => (name.includes('/') ? (name.split('/')[0] ?? '.') : '.')

const imports = files.flatMap(({ name, text }) =>
  [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(([, specifier = '']) => ({
    name,
    specifier,
    target: specifier.startsWith('.')
      ? relative(SRC, resolve(SRC, dirname(name), specifier))
      : undefined,
  })),
)

/** Groups of files that reach each other by imports, of types too; each sorted. */
function cycles(): string[] {
  const edges = new Map(files.map(({ name }) => [name, new Set<string>()]))
  for (const { name, target } of imports) if (target !== undefined) edges.get(name)?.add(target)
  const reach = new Map(files.map(({ name }) => [name, reachable(edges, name)]))
  const groups = files.map(({ name }) =>
    [...(reach.get(name) ?? [])]
      .filter((other) => reach.get(other)?.has(name))
      .sort()
      .join(', '),
  )
  return [...new Set(groups)].filter((group) => group !== '').sort()
}

function reachable(edges: ReadonlyMap<string, ReadonlySet<string>>, from: string): Set<string> {
  const found = new Set<string>()
  const open = [...(edges.get(from) ?? [])]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (found.has(next)) continue
    found.add(next)
    open.push(...(edges.get(next) ?? []))
  }
  return found
}

const offenders = (pattern: RegExp, isHome: (name: string) => boolean): string[] =>
  files
    .filter(({ name, text }) => !isHome(name) && pattern.test(code(text)))
    .map(({ name }) => name)

/** Without comments and strings, so that prose may name what code may not use. */
const code = (text: string): string =>
  text
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/\/\/.*$/gm, '')
    .replace(/'(?:[^'\\\n]|\\.)*'/g, "''")

describe('the house', () => {
  it('has a rank for every room', () => {
    const rooms = new Set(files.map(({ name }) => roomOf(name)))
    expect([...rooms].filter((room) => RANK[room] === undefined)).toEqual([])
  })

  it('imports only lower ranks', () => {
    const upward = imports
      .filter(({ name, target }) => target !== undefined && roomOf(name) !== roomOf(target))
      .filter(({ name, target = '' }) => {
        const [from, to] = [roomOf(name), roomOf(target)]
        return (RANK[to] ?? 99) >= (RANK[from] ?? 0) && !ALLOWED_PEERS.has(`${from} -> ${to}`)
      })
    expect(upward.map(({ name, specifier }) => `${name} -> ${specifier}`)).toEqual([])
  })

  it('enters another room by its face alone', () => {
    const sideDoors = imports.filter(
      ({ name, target }) =>
        target !== undefined &&
        roomOf(target) !== '.' &&
        roomOf(name) !== roomOf(target) &&
        target !== `${roomOf(target)}/index.ts` &&
        !(name === 'index.ts' && target.endsWith('-object.ts')),
    )
    expect(sideDoors.map(({ name, specifier }) => `${name} -> ${specifier}`)).toEqual([])
  })

  it('has no files that import each other in a circle, not even for types', () => {
    expect(cycles()).toEqual([])
  })

  it('imports Durable Objects from the entry alone', () => {
    const early = imports.filter(
      ({ name, target }) => target?.endsWith('-object.ts') && name !== 'index.ts',
    )
    expect(early.map(({ name, specifier }) => `${name} -> ${specifier}`)).toEqual([])
  })

  it.each([
    ['drizzle', /drizzle-orm/, /(^|\/)([a-z-]*repository|tables|audit|rows|deps)\.ts$/],
    ['hono', /^(hono|@hono\/)/, /^(http\/|app\.ts)|(routes|route-definitions|middleware)\.ts$/],
    ['cloudflare:workers', /^cloudflare:/, /-object\.ts$|^index\.ts$/],
  ])('knows %s only where it lives', (_library, specifier, home) => {
    const strangers = imports.filter(
      (entry) => specifier.test(entry.specifier) && !home.test(entry.name),
    )
    expect(strangers.map(({ name, specifier: found }) => `${name} -> ${found}`)).toEqual([])
  })

  it.each([
    // A method of that name has types where a call has values.
    ['fetch', /(?<![.\w])fetch\((?!\w+: |\): )/, 'core/outbound.ts'],
    ['the clock', /\bDate\.now\b|new Date\(\)/, 'core/context.ts'],
    ['chance', /\bMath\.random\b|\bcrypto\.(randomUUID|getRandomValues)\b/, 'core/context.ts'],
  ])('touches %s in one place', (_what, pattern, home) => {
    expect(offenders(pattern, (name) => name === home)).toEqual([])
  })

  it('keeps files readable: at most 300 lines, and the two pages that explain it at most 120', () => {
    const long = files.filter(({ name, text }) => {
      const limit = name === 'app.ts' || name === 'mcp/relay.ts' ? 120 : 300
      return text.split('\n').length > limit
    })
    expect(long.map(({ name }) => name)).toEqual([])
  })

  it('exports nothing by default, and nothing by star', () => {
    const isEntry = (name: string) => name === 'index.ts'
    expect(offenders(/export default/, isEntry)).toEqual([])
    expect(offenders(/export \*/, () => false)).toEqual([])
  })
})
