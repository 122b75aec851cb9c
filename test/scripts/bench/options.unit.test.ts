import { describe, expect, it } from 'vitest'
import { HELP, parseOptions, SCALE_NAMES } from '../../../scripts/bench/options.ts'

const parsed = (...args: string[]) => {
  const options = parseOptions(args)
  if (options === 'help') throw new Error('help')
  return options
}

describe('the options of npm run bench', () => {
  it('measure everything, seven rounds, by default', () => {
    expect(parsed()).toMatchObject({
      ...{ isQuick: false, checks: false, rounds: 7, seconds: 2, concurrencies: [1, 32, 128] },
      ...{ only: undefined, scale: [], soakMinutes: 0, writes: true, command: 'npm run bench' },
    })
  })

  it('are seven rounds of 1 s at 1 and 32 when quick', () => {
    expect(parsed('--quick', '--check')).toMatchObject({
      ...{ isQuick: true, checks: true, rounds: 7, seconds: 1, concurrencies: [1, 32] },
      command: 'npm run bench -- --quick --check',
    })
  })

  it('write nothing for a part of the rows, or when told so', () => {
    expect(parsed('--only', 'a,c')).toMatchObject({ only: ['a', 'c'], writes: false })
    expect(parsed('--no-write').writes).toBe(false)
  })

  it('run all scale runs and ten minutes of soak when these stand alone', () => {
    expect(parsed('--scale', '--soak')).toMatchObject({ scale: SCALE_NAMES, soakMinutes: 10 })
    expect(parsed('--scale', 'streams', '--soak', '1')).toMatchObject({
      scale: ['streams'],
      soakMinutes: 1,
    })
  })

  it('give each peer its own headers and tool, and keep headers out of the command', () => {
    const options = parsed(
      ...['--peer', 'one=http://127.0.0.1:1/mcp', '--peer', 'two=http://127.0.0.1:2/mcp'],
      ...['--peer-header', 'one=Authorization: Bearer secret', '--peer-tool', 'two=x-echo'],
    )
    expect(options.peers).toEqual([
      {
        ...{ name: 'one', url: 'http://127.0.0.1:1/mcp', tool: 'echo' },
        headers: { Authorization: 'Bearer secret' },
      },
      { name: 'two', url: 'http://127.0.0.1:2/mcp', tool: 'x-echo', headers: {} },
    ])
    expect(options.command).not.toContain('secret')
    expect(parsed('--peer-header=one=a: secret').command).not.toContain('secret')
  })

  it('refuse what they do not know', () => {
    expect(() => parsed('--fast')).toThrow('--fast')
    expect(() => parsed('--rounds', '0')).toThrow('whole numbers')
    expect(() => parsed('--scale', 'moon')).toThrow('registered')
    expect(() => parsed('--peer', 'nowhere')).toThrow('name=url')
    expect(() => parsed('--peer', 'a=http://x/', '--peer-header', 'a=b')).toThrow('name:value')
  })

  it('are all in the help', () => {
    expect(parseOptions(['--help'])).toBe('help')
    for (const flag of ['quick', 'check', 'only', 'peer', 'scale', 'soak', 'no-write']) {
      expect(HELP).toContain(`--${flag}`)
    }
  })
})
