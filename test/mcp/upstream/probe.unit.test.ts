import { expect, it } from 'vitest'
import { type CallContext, EndpointId, type OutboundFault } from '../../../src/core/index.ts'
import { createProbe } from '../../../src/mcp/upstream/probe.ts'

it.each([
  ['no_room', 'up'],
  ['network', 'down'],
] as const)('a server that could not be asked (%s) is %s', async (fault: OutboundFault, kind) => {
  const probe = createProbe({ send: async () => ({ kind: 'fault', fault, message: '' }) })
  const ctx = { clock: { now: () => 0 } } as unknown as CallContext
  const endpoint = EndpointId.parse(crypto.randomUUID())
  const where = { endpoint, transport: 'sse', url: 'https://up.example/sse' } as const
  const upstream = {
    server: 'up',
    ...where,
    headers: [],
    timeoutMs: 1_000,
    eras: 'legacy',
  } as const
  expect(await probe(ctx, upstream)).toMatchObject({ kind })
})
