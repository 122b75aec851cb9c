import { z } from 'zod'
import { EndpointId } from '../../core/index.ts'

/** Where a parked call waits; it travels sealed as the request's state. */
const ParkedState = z.object({ bridge: z.string(), callId: z.string(), endpoint: EndpointId })
export type ParkedState = z.infer<typeof ParkedState>

export function writeState(state: ParkedState): string {
  return JSON.stringify(state)
}

/** Undefined for a state that no bridge has written. */
export function openState(text: string): ParkedState | undefined {
  try {
    return ParkedState.safeParse(JSON.parse(text)).data
  } catch {
    // Of a server that spoke the modern era when the request was sent.
    return undefined
  }
}
