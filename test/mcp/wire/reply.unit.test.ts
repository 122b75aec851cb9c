import { describe, expect, it } from 'vitest'
import { ERROR_WIRE, type ErrorCode, GatewayError } from '../../../src/core/index.ts'
import { errorMessage, errorReply, statusOf } from '../../../src/mcp/wire/reply.ts'

const error = new GatewayError('rate_limited', 'Wait "a bit".', {
  headers: { 'retry-after': '7' },
  data: { retryAfterSeconds: 7, code: 'forged', requestId: 'forged' },
})

describe('an error reply', () => {
  it.each(['1', '1.0', '"a\\u00e9"', 'null', '12345678901234567890'])(
    'carries the id %s as it was written',
    (id) => {
      const text = errorMessage(error, id, 'request-1')
      expect(text).toContain(`"id":${id},`)
      expect(JSON.parse(text)).toMatchObject({ jsonrpc: '2.0', error: { code: -31011 } })
    },
  )

  it('says what, how to fix it and which request, and lets no data stand in for those', () => {
    expect(JSON.parse(errorMessage(error, '1', 'request-1')).error).toEqual({
      code: -31011,
      message: 'Wait "a bit".',
      data: {
        retryAfterSeconds: 7,
        code: 'rate_limited',
        fix: 'Try again after Retry-After.',
        requestId: 'request-1',
      },
    })
  })

  it('is JSON that nobody stores, with the headers of the error', async () => {
    const response = errorReply(error, '1', 'request-1')
    expect(response.status).toBe(429)
    expect(Object.fromEntries(response.headers)).toEqual({
      'cache-control': 'no-store',
      'content-type': 'application/json',
      'retry-after': '7',
    })
  })

  it('has the status of its code, and 200 once the request was dispatched', () => {
    const codes = Object.keys(ERROR_WIRE) as ErrorCode[]
    for (const code of codes) {
      const { status } = ERROR_WIRE[code]
      const isBehind = code === 'upstream_failed' || code === 'upstream_timeout'
      expect(statusOf(code, { kind: 'request', era: 'modern' })).toBe(isBehind ? 200 : status)
      const isInBand = isBehind || code === 'method_not_found'
      expect(statusOf(code, { kind: 'request', era: 'legacy' })).toBe(isInBand ? 200 : status)
      expect(statusOf(code, undefined)).toBe(status)
    }
  })

  it('has nothing but its status for a message that nothing answers', () => {
    for (const kind of ['notification', 'response']) {
      expect(statusOf('upstream_failed', { kind, era: 'legacy' })).toBe(502)
      expect(statusOf('upstream_timeout', { kind, era: 'legacy' })).toBe(504)
      // 404 would say that the session is gone.
      expect(statusOf('method_not_found', { kind, era: 'legacy' })).toBe(200)
    }
  })
})
