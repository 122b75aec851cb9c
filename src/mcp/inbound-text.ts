import type { InboundRequest } from './eras.ts'
import { memberSpan } from './wire/edit-members.ts'
import { replaceSpan, scanRequest } from './wire/scan-request.ts'

/** The request in other words: `text` still holds its id, which may stand elsewhere now. */
export function withText(inbound: InboundRequest, text: string): InboundRequest {
  const scan = scanRequest(text)
  const id = scan.kind === 'scanned' && scan.id ? scan.id : inbound.id
  return { ...inbound, text, id }
}

/** The request with another value, raw JSON, where these members lead to; as it is where they do not. */
export function withMember(
  inbound: InboundRequest,
  at: readonly string[],
  value: string,
): InboundRequest {
  const { text, id } = inbound
  const span = memberSpan(text, at)
  if (!span) return inbound
  const moved = id.start < span.start ? 0 : value.length - (span.end - span.start)
  return {
    ...inbound,
    text: replaceSpan(text, span, value),
    id: { start: id.start + moved, end: id.end + moved },
  }
}

/** The client's id as it wrote it, raw JSON. */
export function rawIdOf({ text, id }: Pick<InboundRequest, 'text' | 'id'>): string {
  return text.slice(id.start, id.end)
}
