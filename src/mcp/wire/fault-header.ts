import { z } from 'zod'
import { OUTBOUND_FAULTS, type OutboundFault } from '../../core/index.ts'

/** By which an object tells whoever asked it why a request got no response. */
const FAULT_HEADER = 'x-gatehouse-fault'
const Fault = z.enum(OUTBOUND_FAULTS)

/** The answer of an object to a request that got none. */
export function faultResponse(fault: OutboundFault): Response {
  return new Response(null, { status: 502, headers: { [FAULT_HEADER]: fault } })
}

/** Why there is no response; undefined when this is one. For answers of our own objects alone. */
export function faultOf(headers: Headers): OutboundFault | undefined {
  return Fault.safeParse(headers.get(FAULT_HEADER)).data
}

/** An upstream's response that an object hands on: what it says of faults is not ours. */
export function withoutFault(response: Response): Response {
  if (!response.headers.has(FAULT_HEADER)) return response
  const { status, body } = response
  const headers = new Headers(response.headers)
  headers.delete(FAULT_HEADER)
  return new Response(body, { status, headers })
}
