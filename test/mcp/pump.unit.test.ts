import { describe, expect, it } from 'vitest'
import { createJsonEditor } from '../../src/mcp/wire/json-editor.ts'
import { openSource, pump, type StreamEnd } from '../../src/mcp/wire/pump.ts'
import { readRpcError } from '../../src/mcp/wire/read-error.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

/** A body of these chunks; `undefined` breaks it off. */
function bodyOf(chunks: readonly (string | undefined)[]): ReadableStream<Uint8Array> {
  const rest = [...chunks]
  return new ReadableStream({
    pull(controller) {
      if (rest.length === 0) return controller.close()
      const chunk = rest.shift()
      if (chunk === undefined) controller.error(new Error('reset'))
      else controller.enqueue(bytes(chunk))
    },
  })
}

describe('a pumped body', () => {
  function pumped(chunks: readonly (string | undefined)[], last?: string) {
    const ends: StreamEnd[] = []
    const cuts: boolean[] = []
    const stream = pump({
      source: openSource(bodyOf(chunks), 1_000),
      editor: createJsonEditor({ members: { id: { replace: () => '"mine"' } } }),
      conclude: (end, isCut) => {
        cuts.push(isCut)
        return { end, ...(last === undefined ? {} : { last: bytes(last) }) }
      },
      onEnd: (end) => ends.push(end),
    })
    return { response: new Response(stream), ends, cuts }
  }

  it('is edited across its chunks, and ends once', async () => {
    const { response, ends, cuts } = pumped(['{"i', 'd":1', '2,"a":1.0}'])
    expect(await response.text()).toBe('{"id":"mine","a":1.0}')
    expect(ends).toEqual(['complete'])
    expect(cuts).toEqual([false])
  })

  it('breaks off where its source does', async () => {
    const { response, ends, cuts } = pumped(['{"a":1,"id":1', undefined])
    await expect(response.text()).rejects.toThrow('upstream broke off')
    expect(ends).toEqual(['broken'])
    expect(cuts).toEqual([true])
  })

  it('ends with other words instead, when there are some', async () => {
    const { response, ends } = pumped(['{"a":1', undefined], ' sorry')
    expect(await response.text()).toBe('{"a":1 sorry')
    expect(ends).toEqual(['broken'])
  })

  it('stops its source when its reader leaves', async () => {
    const { response, ends } = pumped(['{', '"a"', ':1}'])
    const reader = response.body?.getReader()
    await reader?.read()
    await reader?.cancel()
    expect(ends).toEqual(['cancelled'])
  })
})

describe('a JSON-RPC error behind a status of failure', () => {
  const read = async (...chunks: (string | undefined)[]) => {
    const whole = await readRpcError(openSource(bodyOf(chunks), 1_000))
    return whole && new TextDecoder().decode(whole)
  }
  const ERROR = '{"jsonrpc":"2.0", "id":null,"error":{"code":-32601,"message":"no","data":1.0}}'

  it('is read whole and as it stands', async () => {
    expect(await read(ERROR.slice(0, 9), ERROR.slice(9))).toBe(ERROR)
  })

  it.each([
    ['a page', '{"detail":"Not Found"}'],
    ['a result', '{"jsonrpc":"2.0","id":1,"result":{}}'],
    ['a text as error', '{"jsonrpc":"2.0","id":1,"error":"no"}'],
    ['no JSON', 'Bad Request'],
    ['nothing', ''],
    ['a book', `{"jsonrpc":"2.0","error":{"data":"${'x'.repeat(70_000)}"}}`],
  ])('is not %s', async (_what, text) => {
    expect(await read(text)).toBeUndefined()
  })

  it('is not what broke off', async () => {
    expect(await read(ERROR, undefined)).toBeUndefined()
  })
})
