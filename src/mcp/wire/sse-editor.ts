import { CR, concat, LF, SPACE } from './bytes.ts'
import { createJsonEditor, type JsonEditor, type JsonRule } from './json-editor.ts'

/**
 * Edits the JSON in the `data` lines of a text/event-stream as it flows by; other fields and every
 * byte that no rule names pass unchanged (but line endings become LF). Comments are left out, and
 * event ids: an id that a client may see is sealed, which takes time. `isWhole` is about the last event.
 * Source: WHATWG HTML, Server-sent events; MCP 2026-07-28, Streamable HTTP.
 */
export function createSseEditor(root: JsonRule): JsonEditor {
  const json = createJsonEditor(root)
  /** The start of a line, until it is known to be a `data` field or not. */
  let head = ''
  let line: 'start' | 'data' | 'other' = 'start'
  let isDataOpen = false
  let wasWhole = false
  /** One space behind `data:` belongs to the field, not to the value. */
  let isFirstOfData = false
  /** Fields that came behind data of the same event: written at its end. */
  let trailing = ''
  let other = ''
  let skipLineFeed = false
  let out: Uint8Array[] = []

  const text = (value: string): void => {
    out.push(Uint8Array.from(value, (char) => char.charCodeAt(0)))
  }

  /** A line break inside edited data starts a new `data` line. */
  function data(bytes: Uint8Array): void {
    let from = 0
    for (let at = bytes.indexOf(LF); at !== -1; at = bytes.indexOf(LF, from)) {
      out.push(bytes.subarray(from, at), DATA_BREAK)
      from = at + 1
    }
    out.push(bytes.subarray(from))
  }

  function startData(): void {
    if (isDataOpen) data(json.write(LF_BYTES))
    else text('data: ')
    isDataOpen = true
    line = 'data'
  }

  function endLine(): void {
    if (line === 'data') {
      line = 'start'
      return
    }
    const field = line === 'other' ? other : head
    head = ''
    other = ''
    line = 'start'
    if (field === '') endEvent()
    else if (field === 'id' || field.startsWith('id:') || field.startsWith(':')) return
    else if (field === 'data') startEmptyData()
    else if (isDataOpen) trailing = `${trailing}${field}\n`.slice(-MAX_FIELD_CHARS)
    else text(`${field}\n`)
  }

  function startEmptyData(): void {
    startData()
    line = 'start'
  }

  function endEvent(): void {
    if (isDataOpen) {
      wasWhole = json.isWhole()
      data(json.end())
      text(`\n${trailing}`)
    }
    text('\n')
    isDataOpen = false
    trailing = ''
  }

  function decideLine(char: string): void {
    head += char
    if (head === 'data:') {
      head = ''
      startData()
      isFirstOfData = true
    } else if (!'data:'.startsWith(head)) {
      other = head
      head = ''
      line = 'other'
    }
  }

  function write(chunk: Uint8Array): Uint8Array {
    let at = 0
    let nextReturn = chunk.indexOf(CR)
    while (at < chunk.length) {
      const byte = chunk[at] ?? 0
      if (byte === LF || byte === CR) {
        if (!(byte === LF && skipLineFeed)) endLine()
        skipLineFeed = byte === CR
        at += 1
        if (nextReturn !== -1 && nextReturn < at) nextReturn = chunk.indexOf(CR, at)
        continue
      }
      skipLineFeed = false
      if (line === 'start') {
        decideLine(String.fromCharCode(byte))
        at += 1
        continue
      }
      const lineFeed = chunk.indexOf(LF, at)
      const end = Math.min(
        lineFeed === -1 ? chunk.length : lineFeed,
        nextReturn === -1 ? chunk.length : nextReturn,
      )
      if (line === 'data') {
        const from = isFirstOfData && byte === SPACE ? at + 1 : at
        isFirstOfData = false
        data(json.write(chunk.subarray(from, end)))
      } else {
        other = (other + latin1(chunk.subarray(at, end))).slice(0, MAX_FIELD_CHARS)
      }
      at = end
    }
    return take()
  }

  function take(): Uint8Array {
    const taken = concat(out)
    out = []
    return taken
  }

  return {
    write,
    isWhole: () => wasWhole,
    end() {
      if (isDataOpen || head !== '' || other !== '') {
        if (line !== 'data' && (head !== '' || other !== '')) endLine()
        if (isDataOpen) endEvent()
      }
      return take()
    },
  }
}

const LF_BYTES = new Uint8Array([LF])
const DATA_BREAK = new TextEncoder().encode('\ndata: ')
/** A comment, id or event name longer than this is cut. */
const MAX_FIELD_CHARS = 8_192

/** Field lines are passed on as bytes; one char per byte keeps them whole. */
function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes.subarray(0, MAX_FIELD_CHARS))
}
