import type { InboundRequest } from './eras.ts'
import { scanRequest } from './wire/scan-request.ts'

/** The request in other words: `text` still holds its id, which may stand elsewhere now. */
export function withText(inbound: InboundRequest, text: string): InboundRequest {
  const scan = scanRequest(text)
  const id = scan.kind === 'scanned' && scan.id ? scan.id : inbound.id
  return { ...inbound, text, id }
}

/** The client's id as it wrote it, raw JSON. */
export function rawIdOf({ text, id }: Pick<InboundRequest, 'text' | 'id'>): string {
  return text.slice(id.start, id.end)
}
