/** One event of a text/event-stream, taken apart. */
export interface EventFields {
  /** Joined by LF; undefined for an event without any, such as a comment. */
  readonly data: string | undefined
  readonly id: string | undefined
  /** Every other line as it stands: `event`, `retry` and what nobody knows. No comments. */
  readonly others: readonly string[]
}

/**
 * Reads one whole event. Undefined when it is no UTF-8.
 * Source: WHATWG HTML, Server-sent events, Interpreting an event stream.
 */
export function readEvent(bytes: Uint8Array): EventFields | undefined {
  const text = decode(bytes)
  if (text === undefined) return undefined
  const data: string[] = []
  const others: string[] = []
  let id: string | undefined
  for (const line of text.split(/\r\n|\r|\n/)) {
    if (line === '') continue
    const [name, value] = fieldOf(line)
    if (name === 'data') data.push(value)
    // An id with a null in it is none.
    else if (name === 'id') id = value.includes('\0') ? id : value
    // A comment is for the hop that it was made for.
    else if (name !== '') others.push(line)
  }
  return { data: data.length > 0 ? data.join('\n') : undefined, id, others }
}

/** Writes an event; a line break in `data` starts another `data` line. */
export function writeEvent({ data, id, others }: EventFields): string {
  const lines = [
    ...others,
    ...(id === undefined ? [] : [`id: ${id}`]),
    ...(data === undefined ? [] : data.split('\n').map((line) => `data: ${line}`)),
  ]
  return lines.length === 0 ? '' : `${lines.join('\n')}\n\n`
}

/** Whether an event is of another type than the one that carries messages. */
export function isForeignType(others: readonly string[]): boolean {
  return others.some((line) => {
    const [name, value] = fieldOf(line)
    return name === 'event' && value !== '' && value !== 'message'
  })
}

function fieldOf(line: string): [name: string, value: string] {
  const colon = line.indexOf(':')
  if (colon === -1) return [line, '']
  const value = line.slice(colon + 1)
  return [line.slice(0, colon), value.startsWith(' ') ? value.slice(1) : value]
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false })

function decode(bytes: Uint8Array): string | undefined {
  try {
    return strictUtf8.decode(bytes)
  } catch {
    // The caller drops it: no JSON-RPC message can be in it.
    return undefined
  }
}
