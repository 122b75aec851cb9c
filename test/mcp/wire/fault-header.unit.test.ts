import { expect, it } from 'vitest'
import { OUTBOUND_FAULTS } from '../../../src/core/index.ts'
import { faultOf, faultResponse, withoutFault } from '../../../src/mcp/wire/fault-header.ts'

it.each(OUTBOUND_FAULTS)('an answer of an object tells of a fault: %s', (fault) => {
  const response = faultResponse(fault)
  expect([response.status, faultOf(response.headers)]).toEqual([502, fault])
})

it('what no fault is called, is none', () => {
  const names = ['', 'Timeout', 'toString', 'network, timeout']
  expect(names.map((name) => faultOf(new Headers({ 'x-gatehouse-fault': name })))).toEqual(
    names.map(() => undefined),
  )
})

it('what an upstream says of faults is left out, and nothing else', async () => {
  const headers = { 'X-Gatehouse-Fault': 'refused_address', 'retry-after': '5' }
  const response = withoutFault(new Response('busy', { status: 503, headers }))
  expect(faultOf(response.headers)).toBeUndefined()
  expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5'])
  expect(await response.text()).toBe('busy')
  const empty = new Response(null, { status: 204 })
  expect(withoutFault(empty)).toBe(empty)
})
