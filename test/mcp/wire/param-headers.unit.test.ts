import { describe, expect, it } from 'vitest'
import {
  checkParamHeaders,
  type HeaderParam,
  paramHeaders,
} from '../../../src/mcp/wire/param-headers.ts'

const REGION: HeaderParam = { header: 'Region', path: ['region'], type: 'string' }
const COUNT: HeaderParam = { header: 'Count', path: ['deep', 'count'], type: 'integer' }
const DRY: HeaderParam = { header: 'Dry-Run', path: ['dryRun'], type: 'boolean' }
const ALL = [REGION, COUNT, DRY]

const check =
  (headers: Record<string, string>, args: unknown, params = ALL) =>
  () =>
    checkParamHeaders(new Headers(headers), params, args)

const sent = (headers: Record<string, string>, args: unknown, params = ALL) =>
  Object.fromEntries(paramHeaders(new Headers(headers), params, args))

describe('headers that mirror arguments', () => {
  it.each<[string, Record<string, string>, unknown]>([
    ['nothing to mirror', {}, {}],
    ['no arguments', {}, undefined],
    ['arguments that are no object', {}, ['region']],
    ['a null, which is left out', {}, { region: null }],
    ['text', { 'mcp-param-region': 'eu' }, { region: 'eu' }],
    ['text with white space around the header', { 'mcp-param-region': ' eu ' }, { region: 'eu' }],
    ['text in base64', { 'mcp-param-region': '=?base64?WsO8cmljaA==?=' }, { region: 'Zürich' }],
    ['an empty text', { 'mcp-param-region': '=?base64??=' }, { region: '' }],
    ['a number below', { 'mcp-param-count': '5' }, { deep: { count: 5 } }],
    ['a number by its value', { 'mcp-param-count': '5.0' }, { deep: { count: 5 } }],
    ['zero', { 'mcp-param-count': '0' }, { deep: { count: 0 } }],
    ['a negative number', { 'mcp-param-count': '-7' }, { deep: { count: -7 } }],
    ['true', { 'mcp-param-dry-run': 'true' }, { dryRun: true }],
    ['false', { 'mcp-param-dry-run': 'false' }, { dryRun: false }],
    ['a header that no parameter owns', { 'mcp-param-other': 'x' }, {}],
  ])('are accepted for %s', (_what, headers, args) => {
    expect(check(headers, args)).not.toThrow()
  })

  it.each<[string, Record<string, string>, unknown, string]>([
    ['missing', {}, { region: 'eu' }, 'Mcp-Param-Region is missing.'],
    ['missing below', {}, { deep: { count: 1 } }, 'Mcp-Param-Count is missing.'],
    ['missing for false', {}, { dryRun: false }, 'Mcp-Param-Dry-Run is missing.'],
    ['missing for an empty text', {}, { region: '' }, 'Mcp-Param-Region is missing.'],
    [
      'set without the argument',
      { 'mcp-param-region': 'eu' },
      {},
      'Mcp-Param-Region is set, but its argument is not.',
    ],
    [
      'set for a null',
      { 'mcp-param-region': 'null' },
      { region: null },
      'Mcp-Param-Region is set, but its argument is not.',
    ],
    [
      'set for an object',
      { 'mcp-param-region': '[object Object]' },
      { region: {} },
      'Mcp-Param-Region is set, but its argument is not.',
    ],
    [
      'something else',
      { 'mcp-param-region': 'us' },
      { region: 'eu' },
      'Mcp-Param-Region does not match its argument.',
    ],
    [
      'the value in another case',
      { 'mcp-param-region': 'EU' },
      { region: 'eu' },
      'Mcp-Param-Region does not match its argument.',
    ],
    [
      'no base64',
      { 'mcp-param-region': '=?base64?!?=' },
      { region: '=?base64?!?=' },
      'Mcp-Param-Region does not match its argument.',
    ],
    [
      'set twice',
      { 'mcp-param-region': 'eu, eu' },
      { region: 'eu' },
      'Mcp-Param-Region does not match its argument.',
    ],
    [
      'another number',
      { 'mcp-param-count': '6' },
      { deep: { count: 5 } },
      'Mcp-Param-Count does not match its argument.',
    ],
    ...['', '0x5', '5x', '0b101', 'five', '+5', '05', 'Infinity'].map(
      (value): [string, Record<string, string>, unknown, string] => [
        `no number (${value})`,
        { 'mcp-param-count': value },
        { deep: { count: value === '' ? 0 : 5 } },
        'Mcp-Param-Count does not match its argument.',
      ],
    ),
    [
      'another boolean',
      { 'mcp-param-dry-run': 'True' },
      { dryRun: true },
      'Mcp-Param-Dry-Run does not match its argument.',
    ],
  ])('are refused when one is %s', (_what, headers, args, message) => {
    expect(check(headers, args)).toThrow(
      expect.objectContaining({ code: 'header_mismatch', message }),
    )
  })

  it('are not looked for where an argument only inherits its value', () => {
    const inherited = (path: string[]): HeaderParam => ({ header: 'X', path, type: 'string' })
    expect(check({}, {}, [inherited(['toString'])])).not.toThrow()
    expect(check({}, {}, [inherited(['constructor', 'name'])])).not.toThrow()
  })

  it('are computed anew from the arguments for the upstream', () => {
    expect(
      sent(
        { 'mcp-param-region': ' eu ', 'mcp-param-count': '5.0', 'mcp-param-dry-run': 'true' },
        { region: 'eu', deep: { count: 5 }, dryRun: true },
      ),
    ).toEqual({ 'Mcp-Param-Region': 'eu', 'Mcp-Param-Count': '5', 'Mcp-Param-Dry-Run': 'true' })
    expect(sent({}, { region: 'Zürich\n' })).toEqual({
      'Mcp-Param-Region': '=?base64?WsO8cmljaAo=?=',
    })
  })

  it('are passed on when no parameter owns them, and only they', () => {
    expect(
      sent(
        {
          'mcp-param-other': 'x',
          'MCP-PARAM-REGION': 'us',
          'mcp-params': 'y',
          'x-mcp-param-a': 'z',
        },
        {},
      ),
    ).toEqual({ 'mcp-param-other': 'x' })
  })
})
