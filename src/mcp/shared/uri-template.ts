/**
 * URI templates (RFC 6570) read backwards: whether a URI is one that a template stands for. Upstreams
 * write the templates and callers the URIs, so nothing here goes back: each literal is looked for
 * once, from where the last one ended, and each character is looked at a fixed number of times.
 */

/** What an expression stands for: characters without `/`, or `any`. */
interface Wild {
  /** Characters at least. */
  readonly least: number
  readonly any: boolean
}

/** Literals with a wild between each two. */
interface Core {
  readonly literals: readonly string[]
  readonly wilds: readonly Wild[]
}

/** What may follow: the query and fragment expressions at a template's end, each of which may lack. */
interface Tail {
  readonly query: '?' | '&' | undefined
  readonly names: ReadonlySet<string>
  /** A query may hold other names as well (`{?filter*}`). */
  readonly isOpen: boolean
  readonly hasFragment: boolean
}

interface Expression {
  readonly operator: string
  readonly names: readonly string[]
  readonly isExploded: boolean
}

/** A server that resolves them would read what its template does not stand for. */
const DOT_SEGMENT = /(?:^|\/)(?:\.|%2e){1,2}(?:$|[/?#])/i

/**
 * Whether the URI is the template itself, or one that it stands for. `{x}`, `{.x}`, `{/x}` and `{;x}`
 * hold no `/`; `{+x}`, `{#x}` and `{/x*}` hold anything; all hold at least one character. A query at
 * the end (`{?a,b}`) may hold any of its names, in any order, or be absent. Where two expressions
 * hold anything, what stands between them is looked for once, at its first place. A template that
 * cannot be read stands for nothing.
 */
export function matchesTemplate(template: string, uri: string): boolean {
  if (template === uri) return true
  // Most templates of a server differ at once.
  const prefix = template.indexOf('{')
  if (prefix < 0 || !uri.startsWith(template.slice(0, prefix))) return false
  const parts = partsOf(template)
  if (!parts || DOT_SEGMENT.test(uri)) return false
  const { core, tail } = splitTail(parts)
  const rest = withoutTail(uri, tail, core.literals.join(''))
  return rest !== undefined && matchesCore(core, rest)
}

/** Literals and expressions in turn; undefined for what is no template. */
function partsOf(template: string): (string | Expression)[] | undefined {
  const parts: (string | Expression)[] = []
  let at = 0
  for (let open = template.indexOf('{'); open >= 0; open = template.indexOf('{', at)) {
    const close = template.indexOf('}', open)
    const expression = close < 0 ? undefined : expressionOf(template.slice(open + 1, close))
    if (!expression) return undefined
    parts.push(template.slice(at, open), expression)
    at = close + 1
  }
  return [...parts, template.slice(at)]
}

function expressionOf(text: string): Expression | undefined {
  const operator = /^[+#./;?&]/.exec(text)?.[0] ?? ''
  const variables = text.slice(operator.length).split(',')
  const names = variables.map((one) => one.replace(/(?:\*|:\d+)$/, ''))
  if (names.some((name) => !/^[^{}=!@|*\s]+$/.test(name))) return undefined
  return { operator, names, isExploded: variables.some((one) => one.endsWith('*')) }
}

function splitTail(parts: readonly (string | Expression)[]): { core: Core; tail: Tail } {
  const isTail = (part: string | Expression): boolean =>
    typeof part === 'string' ? part === '' : /[?&#]/.test(part.operator)
  const end = parts.findLastIndex((part) => !isTail(part)) + 1
  const last = parts.slice(end).flatMap((part) => (typeof part === 'string' ? [] : [part]))
  const queries = last.filter(({ operator }) => operator !== '#')
  const first = queries[0]?.operator
  return {
    core: coreOf(parts.slice(0, end)),
    tail: {
      query: first === '?' || first === '&' ? first : undefined,
      names: new Set(queries.flatMap(({ names }) => names)),
      isOpen: queries.some(({ isExploded }) => isExploded),
      hasFragment: queries.length < last.length,
    },
  }
}

function coreOf(parts: readonly (string | Expression)[]): Core {
  const literals = ['']
  const wilds: Wild[] = []
  const addLiteral = (text: string) => literals.push(`${literals.pop() ?? ''}${text}`)
  const addWild = (any: boolean) => {
    const before = wilds.at(-1)
    if (before && literals.at(-1) === '') {
      wilds[wilds.length - 1] = { least: before.least + 1, any: before.any || any }
    } else {
      wilds.push({ least: 1, any })
      literals.push('')
    }
  }
  for (const part of parts) {
    if (typeof part === 'string') addLiteral(part)
    else {
      const { operator, names, isExploded } = part
      const isPath = operator === '/'
      // A list is one run, but the parts of a path stand behind a slash each.
      for (const _name of isPath ? names : names.slice(0, 1)) {
        addLiteral(operator === '+' ? '' : operator)
        addWild(/[+#?&]/.test(operator) || (isPath && isExploded))
      }
    }
  }
  return { literals, wilds }
}

/** The URI up to its tail; undefined when what stands there is not in the template. */
function withoutTail(uri: string, tail: Tail, literals: string): string | undefined {
  const hash = tail.hasFragment ? behindLiterals(uri, '#', literals) : -1
  const rest = hash < 0 ? uri : uri.slice(0, hash)
  const start = tail.query ? behindLiterals(rest, tail.query, literals) : -1
  if (start < 0) return rest
  const names = rest
    .slice(start + 1)
    .split('&')
    .map((pair) => pair.split('=', 1)[0] ?? '')
  return tail.isOpen || names.every((name) => tail.names.has(name))
    ? rest.slice(0, start)
    : undefined
}

/** The place of the first such sign that is not one of the template's own. */
function behindLiterals(uri: string, sign: string, literals: string): number {
  let own = literals.split(sign).length - 1
  let at = uri.indexOf(sign)
  for (; at >= 0 && own > 0; own -= 1) at = uri.indexOf(sign, at + 1)
  return at
}

/**
 * From the left up to the first wild that holds anything, from the right down to the last one, each
 * literal at its nearest place; then what is between. Where no wild may hold a `/`, the nearest place
 * is as good as any: all its places are in the same segment.
 */
function matchesCore({ literals, wilds }: Core, uri: string): boolean {
  const literal = (index: number): string => literals[index] ?? ''
  const count = wilds.length
  if (count === 0) return uri === literal(0)
  const last = literal(count)
  let left = literal(0).length
  let right = uri.length - last.length
  if (left > right || !uri.startsWith(literal(0)) || !uri.endsWith(last)) return false

  const holds = ({ least, any }: Wild, from: number, to: number): boolean =>
    to - from >= least && (any || !uri.slice(from, to).includes('/'))
  const firstAny = wilds.findIndex(({ any }) => any)
  let end = count - 1
  for (; firstAny >= 0 && wilds[end]?.any === false; end -= 1) {
    const before = literal(end)
    const wild = wilds[end] ?? { least: 1, any: false }
    const at = uri.lastIndexOf(before, right - wild.least - before.length)
    if (at < left || !holds(wild, at + before.length, right)) return false
    right = at
  }
  for (const [index, wild] of wilds.slice(0, end).entries()) {
    const next = literal(index + 1)
    const at = uri.indexOf(next, left + wild.least)
    if (at < 0 || at + next.length > right || !holds(wild, left, at)) return false
    left = at + next.length
  }
  return holds(wilds[end] ?? { least: 1, any: false }, left, right)
}
