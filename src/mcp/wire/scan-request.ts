import { type Span, scanJson } from '../../core/index.ts'

/** What one pass over the text of a message found, before it is parsed. */
export type RequestScan =
  | { readonly kind: 'scanned'; readonly id: Span | undefined }
  | { readonly kind: 'refused'; readonly reason: string }

/**
 * What every JSON document is refused for, and where the message's own `id` stands, so that it can
 * be replaced without touching another byte. Syntax is left to `JSON.parse`.
 */
export function scanRequest(text: string): RequestScan {
  const scan = scanJson(text, 'id')
  if (scan.kind === 'refused') return scan
  return { kind: 'scanned', id: scan.member }
}

/** The text with the value at `span` replaced; every other character stays. */
export function replaceSpan(text: string, span: Span, replacement: string): string {
  return text.slice(0, span.start) + replacement + text.slice(span.end)
}
