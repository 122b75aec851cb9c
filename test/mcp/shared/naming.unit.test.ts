import { describe, expect, it } from 'vitest'
import {
  exposedId,
  exposedName,
  exposedTask,
  exposedUri,
  originalId,
  originalName,
  originalTask,
  originalUri,
  splitName,
} from '../../../src/mcp/shared/naming.ts'

describe('names of tools and prompts', () => {
  // req: names-always-prefixed
  it('puts the server in front, whatever else is there', () => {
    expect(exposedName('github', 'create_issue')).toBe('github__create_issue')
    expect(exposedName('a', '_hidden')).toBe('a___hidden')
  })

  // req: names-bounded
  it('cuts a long name to 64 characters that end in a hash of the name', () => {
    const one = exposedName('a-server-with-a-rather-long-nam', `${'x'.repeat(60)}1`)
    const two = exposedName('a-server-with-a-rather-long-nam', `${'x'.repeat(60)}2`)
    expect(one).toMatch(/^a-server-with-a-rather-long-nam__x+_[0-9a-f]{8}$/)
    expect(one).toHaveLength(64)
    expect(two).not.toBe(one)
    expect(exposedName('a-server-with-a-rather-long-nam', `${'x'.repeat(60)}1`)).toBe(one)
  })

  // req: names-bounded
  it.each(['a.b', 'a/b', 'a b', 'übung', 'a\u200bb', '工具'])(
    'exposes %j in characters that every client takes',
    (name) => {
      const exposed = exposedName('srv', name)
      expect(exposed).toMatch(/^[A-Za-z0-9_-]{1,64}$/)
      const split = splitName(exposed)
      expect(split && originalName(exposed, split, new Set(['other', name]))).toBe(name)
    },
  )

  // req: names-bounded
  it('finds what it exposed, for names of every length', () => {
    for (let length = 1; length <= 128; length += 1) {
      const name = 'n'.repeat(length)
      const exposed = exposedName('server', name)
      const split = splitName(exposed)
      expect(exposed.length).toBeLessThanOrEqual(64)
      expect(split?.server).toBe('server')
      expect(split && originalName(exposed, split, new Set([name, 'z']))).toBe(name)
    }
  })

  it('splits at the first separator', () => {
    expect(splitName('a__b__c')).toEqual({ server: 'a', name: 'b__c' })
    expect(splitName('a___b')).toEqual({ server: 'a', name: '_b' })
    expect(splitName('list_servers')).toBeUndefined()
    expect(splitName('__x')).toBeUndefined()
  })

  it('does not take an altered spelling for the name itself', () => {
    const split = { server: 'srv', name: 'a.b' }
    expect(originalName('srv__a.b', split, new Set(['a.b']))).toBeUndefined()
  })

  it('prefers a plain name to an altered one that reads the same', () => {
    const altered = exposedName('srv', 'a.b')
    const plain = altered.slice('srv__'.length)
    const split = { server: 'srv', name: plain }
    expect(originalName(altered, split, new Set(['a.b', plain]))).toBe(plain)
  })
})

describe('URIs', () => {
  it.each([
    'demo://resource/1',
    'urn:isbn:0451450523',
    'memo:',
    'file:///a/b?c=d#e',
    'mcp+other+demo://x',
    'test://template/{id}/data',
    'x+y+z',
    'http://[::1]/',
  ])('gives %s back as it was', (uri) => {
    const exposed = exposedUri('9lives', uri)
    expect(exposed).toBe(`mcp+9lives+${uri}`)
    expect(originalUri(exposed)).toEqual({ server: '9lives', uri })
  })

  // req: uri-ui-stays
  it('leaves ui:// a ui:// URI', () => {
    const exposed = exposedUri('app', 'ui://widget/main.html')
    expect(exposed).toBe('ui://app+widget/main.html')
    expect(originalUri(exposed)).toEqual({ server: 'app', uri: 'ui://widget/main.html' })
  })

  it('keeps line breaks, which are no end of a URI', () => {
    expect(originalUri(exposedUri('a', 'x:1\n2'))).toEqual({ server: 'a', uri: 'x:1\n2' })
  })

  it.each(['demo://x', 'mcp+', 'mcp+A+demo://x', 'ui://widget', 'mcp+a', ''])(
    'knows no server for %j',
    (uri) => {
      expect(originalUri(uri)).toBeUndefined()
    },
  )
})

describe('ids of server requests', () => {
  it.each(['1', '"a"', '-7', '1.5', '"say \\"hi\\""'])('gives %s back as it was', (raw) => {
    expect(originalId(JSON.parse(exposedId('srv', raw)))).toEqual({ server: 'srv', raw })
  })

  it.each([1, null, {}, 'srv', 'srv:', 'srv:{"a":1}', 'srv:1,"x":2', 'SRV:1'])(
    'takes %j for none of ours',
    (value) => {
      expect(originalId(value)).toBeUndefined()
    },
  )
})

describe('ids of tasks', () => {
  it.each(['0123abcd.aZ_-9', 'a+b', '+', 'b:1', '\n'])('gives %j back as it was', (id) => {
    const exposed = exposedTask('9lives', id)
    expect(exposed).toBe(`9lives+${id}`)
    expect(originalTask(exposed)).toEqual({ server: '9lives', id })
  })

  it.each(['', 'srv', 'srv+', '+x', 'SRV+x', 'a b+x', 'mcp_+x', `${'a'.repeat(32)}+x`])(
    'takes %j for none of ours',
    (value) => {
      expect(originalTask(value)).toBeUndefined()
    },
  )
})
