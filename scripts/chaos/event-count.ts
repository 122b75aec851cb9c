/** Counts the event lines of a gateway as it prints them, and keeps those that tell of trouble. */
export interface EventCount {
  /** Of its output, cut anywhere. */
  add(text: string): void
  /** By `type`; requests as `request outcome`. */
  readonly counts: ReadonlyMap<string, number>
  /** The first lines that are no request's, by type. */
  readonly samples: ReadonlyMap<string, readonly string[]>
}

const MAX_SAMPLES = 20
/** A line that does not end is no event. */
const MAX_LINE_CHARS = 1_000_000

/** @see EventCount */
export function createEventCount(): EventCount {
  const counts = new Map<string, number>()
  const samples = new Map<string, string[]>()
  let rest = ''

  function take(line: string): void {
    if (!line.startsWith('{')) return
    const event = parse(line)
    if (event === undefined) return
    const type = String(event['type'])
    const key = type === 'request' ? `request ${event['outcome'] ?? event['status']}` : type
    counts.set(key, (counts.get(key) ?? 0) + 1)
    const kept = samples.get(key) ?? []
    samples.set(key, kept)
    if ((type !== 'request' || key.includes('internal')) && kept.length < MAX_SAMPLES) {
      kept.push(line)
    }
  }

  return {
    counts,
    samples,
    add(text) {
      const lines = (rest + text).split('\n')
      rest = (lines.pop() ?? '').slice(0, MAX_LINE_CHARS)
      for (const line of lines) take(line)
    },
  }
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(line) as Record<string, unknown>
  } catch {
    return undefined
  }
}
