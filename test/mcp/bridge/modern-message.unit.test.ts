import { describe, expect, it } from 'vitest'
import { judge } from '../../../src/mcp/answer/judge.ts'
import {
  askedBy,
  inputRequired,
  refusalOf,
  responseTo,
} from '../../../src/mcp/bridge/input-required.ts'
import { type ModernView, modernMessage } from '../../../src/mcp/bridge/modern-message.ts'

const VIEW: ModernView = {
  method: 'tools/call',
  serverInfo: { name: 'old' },
  capabilities: { elicitation: { form: {}, url: {} } },
}

function shown(text: string, change: Partial<ModernView> = {}): string | undefined {
  const message: unknown = JSON.parse(text)
  return modernMessage({ ...VIEW, ...change }, text, message, judge(message, '"up"'))
}

const note = (method: string, params: object = {}) =>
  JSON.stringify({ jsonrpc: '2.0', method, params })
const error = (code: number, data?: unknown) =>
  JSON.stringify({ jsonrpc: '2.0', id: 'up', error: { code, message: 'no', data } })

describe('a legacy server for a modern client', () => {
  it('answers with results that are complete, whatever they claim', () => {
    const text =
      '{"jsonrpc":"2.0","id":"up","result":{"content":[],"n":1.50,"resultType":"input_required"}}'
    expect(shown(text)).toBe(
      '{"jsonrpc":"2.0","id":"up","result":{"content":[],"n":1.50,"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"old"}}}}',
    )
  })

  it.each([
    [-32002, -32602],
    [-32042, -32603],
    [-32603, -32603],
    [-31000, -31000],
  ])('has its error %s told as %s', (code, expected) => {
    expect(JSON.parse(shown(error(code)) ?? '')).toMatchObject({ error: { code: expected } })
  })

  const dialogs = {
    elicitations: [{ mode: 'url', elicitationId: 'e', url: 'https://a.example/', message: 'Go' }],
  }

  it('asks for a dialog at a URL by a result, without the id of the dialog', () => {
    expect(JSON.parse(shown(error(-32042, dialogs)) ?? '')).toEqual({
      jsonrpc: '2.0',
      id: 'up',
      result: {
        resultType: 'input_required',
        inputRequests: {
          'url-1': {
            method: 'elicitation/create',
            params: { mode: 'url', message: 'Go', url: 'https://a.example/' },
          },
        },
      },
    })
  })

  // req: bridged-capabilities
  it('asks nobody for a dialog at a URL who declared forms alone', () => {
    for (const elicitation of [{ form: {} }, {}, undefined]) {
      const told = JSON.parse(
        shown(error(-32042, dialogs), { capabilities: { elicitation } }) ?? '',
      )
      expect(told.error).toMatchObject({
        code: -32021,
        data: { requiredCapabilities: { elicitation: { url: {} } } },
      })
    }
  })

  it('logs to who named a level, from that level on', () => {
    const log = (level: unknown) => note('notifications/message', { level, data: 'x' })
    expect(shown(log('emergency'))).toBeUndefined()
    const levels = ['debug', 'warning', 'error', 'loud', 7].filter(
      (level) => shown(log(level), { logLevel: 'warning' }) !== undefined,
    )
    expect(levels).toEqual(['warning', 'error'])
  })

  it('tells on the stream of a request what belongs to it, and nothing else', () => {
    expect(shown(note('notifications/progress', { progressToken: 1 }))).toBeDefined()
    expect(shown(note('notifications/of-a-vendor'))).toBeDefined()
    for (const method of [
      'tools/list_changed',
      'resources/updated',
      'elicitation/complete',
      'tasks/status',
    ]) {
      expect(shown(note(`notifications/${method}`))).toBeUndefined()
    }
  })

  it('shows nobody its requests, answers to others, and what is no message', () => {
    for (const text of [
      '{"jsonrpc":"2.0","id":1,"method":"ping"}',
      '{"jsonrpc":"2.0","id":"other","result":{}}',
      '{"id":"up","result":{}}',
      '[]',
      '7',
    ]) {
      expect(shown(text)).toBeUndefined()
    }
  })
})

describe('a request of a legacy server', () => {
  it('becomes one without ids and tokens of its own', () => {
    const text =
      '{"jsonrpc":"2.0","id":7,"method":"elicitation/create","params":{"mode":"url","elicitationId":"e","n":1.0,"_meta":{"progressToken":3}}}'
    const asked = askedBy(text, 'k')
    expect(asked).toEqual({
      key: 'k',
      method: 'elicitation/create',
      params: '{"mode":"url","n":1.0}',
    })
    expect(inputRequired('"up"', asked ? [asked] : [], 'st"ate')).toBe(
      '{"jsonrpc":"2.0","id":"up","result":{"resultType":"input_required","inputRequests":{"k":{"method":"elicitation/create","params":{"mode":"url","n":1.0}}},"requestState":"st\\"ate"}}',
    )
    expect(responseTo('7', '{"action":"accept"}')).toBe(
      '{"jsonrpc":"2.0","id":7,"result":{"action":"accept"}}',
    )
  })

  it('is answered by the gateway where no client can be asked', () => {
    expect(JSON.parse(refusalOf('{"id":"a","method":"ping"}'))).toEqual({
      ...{ jsonrpc: '2.0', id: 'a', result: {} },
    })
    expect(askedBy('{"id":1,"method":"tasks/get"}', 'k')).toBeUndefined()
    expect(JSON.parse(refusalOf('{"id":1,"method":"tasks/get"}'))).toMatchObject({
      ...{ id: 1, error: { code: -32601 } },
    })
  })
})
