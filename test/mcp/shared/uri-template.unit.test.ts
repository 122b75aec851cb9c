import { afterEach, describe, expect, it, vi } from 'vitest'
import { matchesTemplate } from '../../../src/mcp/shared/uri-template.ts'

/** What the caller's URI may have at most. */
const MAX_CHARS = 2_048

describe('a URI template', () => {
  it.each([
    ['demo://text/{id}', 'demo://text/7'],
    ['demo://text/{id}', 'demo://text/a%2Fb'],
    ['demo://{kind}/{id}.json', 'demo://text/7.json'],
    ['demo://{kind}/{id}.json', 'demo://text/7.json.json'],
    ['repo://{owner}/{repo}/contents{/path*}', 'repo://o/r/contents/src/a.ts'],
    ['repo://x{/owner,repo}', 'repo://x/o/r'],
    ['file:///{+path}', 'file:///a/b/c'],
    ['file:///{+path}.{ext}', 'file:///a.b/c.txt'],
    ['{+dir}/x/{name}', 'a:/x/b/x/c'],
    ['{+a}-{+b}', 'x-/-y'],
    ['{+a}/{b}/{+c}', 'x:/1/2/3'],
    ['a://{x}{.ext}', 'a://b.c'],
    ['a://{x}{;p}', 'a://b;p=1'],
    ['a://{x,y}', 'a://1,2'],
    ['a://{var:3}', 'a://abc'],
    ['a://{user-id}', 'a://u'],
    ['a://b{?q,r}', 'a://b'],
    ['a://b{?q,r}', 'a://b?r=1&q=/2'],
    ['a://b{?filter*}', 'a://b?any=1'],
    ['a://b?fixed=1{&more}', 'a://b?fixed=1'],
    ['a://b?fixed=1{&more}', 'a://b?fixed=1&more=2'],
    ['a://b?x=1&y=2{&more}', 'a://b?x=1&y=2&more=3'],
    ['a://{x}{?q}{#part}', 'a://b?q=1#c'],
    ['a://{x}{#part}', 'a://b'],
    // The template itself is meant by a completion.
    ['a://{x', 'a://{x'],
    ['a://{x}', 'a://{x}'],
    ['a://plain', 'a://plain'],
  ])('%s stands for %s', (template, uri) => {
    expect(matchesTemplate(template, uri)).toBe(true)
  })

  it.each([
    ['demo://text/{id}', 'demo://text/'],
    ['demo://text/{id}', 'demo://text/a/b'],
    ['demo://text/{id}', 'demo://other/7'],
    ['demo://text/{id}', 'xdemo://text/7'],
    ['demo://text/{id}/end', 'demo://text/7/end/more'],
    ['demo://text/{id}/end', 'demo://text/7/8/end'],
    ['demo://{a}aba', 'demo://aba'],
    ['ab{x}ba', 'aba'],
    ['{a}{b}', 'x'],
    ['{a}/{b}', 'x/'],
    ['repo://x{/owner,repo}', 'repo://x/o'],
    ['a://{x}{.ext}', 'a://b'],
    ['a://b{?q}', 'a://b?admin=1'],
    ['a://b{?q}', 'a://b?q=1&admin=1'],
    ['a://b{?q}', 'a://bc'],
    ['a://{x}{?q}', 'a://b?admin=1'],
    ['a://b?fixed=1{&more}', 'a://b?fixed=1&other=2'],
    ['a://{x}', 'a://b#c/d'],
    ['a://{x', 'a://b'],
    ['a://{}', 'a://b'],
    ['a://{=x}', 'a://b'],
    ['a://{a b}', 'a://b'],
    ['a://plain', 'a://plain2'],
    ['file:///open/{+path}', 'file:///open/../secret'],
    ['file:///open/{+path}', 'file:///open/a/%2e%2E/../secret'],
    ['file:///open/{name}', 'file:///open/..'],
  ])('%s does not stand for %s', (template, uri) => {
    expect(matchesTemplate(template, uri)).toBe(false)
  })

  it('is read as its regular expression would be, whatever is in it', () => {
    let state = 7
    const below = (bound: number): number => {
      state = (state * 1_103_515_245 + 12_345) % 2 ** 31
      return Math.floor((state / 2 ** 31) * bound)
    }
    const pick = <T>(from: readonly T[]): T => from[below(from.length)] as T
    const many = <T>(count: number, make: () => T) => Array.from({ length: count }, make)
    const literals = ['a', 'b', '/', 'ab', 'a/', '/b', 'aa']
    let matched = 0
    for (let round = 0; round < 20_000; round += 1) {
      const wilds = many(1 + below(4), () => '{x}')
      if (below(2) === 0) wilds[below(wilds.length)] = '{+x}'
      const parts = wilds.flatMap((wild) => [wild, pick(literals)]).slice(0, -below(2) || undefined)
      const uri = many(1 + below(10), () => pick(['a', 'a', 'b', '/'])).join('')
      const source = parts.map((part) => {
        if (part === '{x}') return '[^/]+'
        return part === '{+x}' ? '.+' : part
      })
      const expected = new RegExp(`^${source.join('')}$`).test(uri)
      const template = parts.join('')
      expect([template, uri, matchesTemplate(template, uri)]).toEqual([template, uri, expected])
      if (expected) matched += 1
    }
    expect(matched).toBeGreaterThan(1_000)
  })
})

describe('the work of a match', () => {
  afterEach(() => {
    vi.restoreAllMocks()
  })

  /** Characters that are looked at when every literal is looked for. */
  function searched(template: string, uri: string): number {
    let chars = 0
    const { indexOf, lastIndexOf } = String.prototype
    vi.spyOn(String.prototype, 'indexOf').mockImplementation(function (
      this: string,
      wanted: string,
      from = 0,
    ) {
      const at = indexOf.call(this, wanted, from)
      chars += (at < 0 ? this.length : at) - from + wanted.length
      return at
    })
    vi.spyOn(String.prototype, 'lastIndexOf').mockImplementation(function (
      this: string,
      wanted: string,
      from = Number.POSITIVE_INFINITY,
    ) {
      const at = lastIndexOf.call(this, wanted, from)
      chars += Math.min(from, this.length) - Math.max(at, 0) + wanted.length
      return at
    })
    expect(matchesTemplate(template, uri)).toBe(false)
    vi.restoreAllMocks()
    return chars
  }

  it.each([
    ['expressions in a row', 'x://{a}{b}{c}{d}/end', (n: number) => `x://${'a'.repeat(n)}`],
    [
      'a literal that is everywhere',
      `x://${'{v}a'.repeat(100)}/end`,
      (n: number) => `x://${'a'.repeat(n)}`,
    ],
    [
      'expressions that hold anything',
      `x://${'{+v}a'.repeat(100)}b`,
      (n: number) => `x://${'a'.repeat(n)}c`,
    ],
    [
      'slashes everywhere',
      `x://${'{+v}/a{w}'.repeat(50)}/end`,
      (n: number) => `x://${'/a'.repeat(n / 2)}/end`,
    ],
    ['a query', `x://b{?${'q,'.repeat(100)}r}`, (n: number) => `x://b?${'&'.repeat(n)}`],
  ])('grows with the length alone: %s', (_what, template, uriOf) => {
    const chars = searched(template, uriOf(MAX_CHARS - 10))
    expect(chars).toBeLessThan(4 * (template.length + MAX_CHARS))
  })
})
