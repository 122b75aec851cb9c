import { env } from 'cloudflare:workers'
import { expect } from 'vitest'
import type { Bindings } from '../../src/env.ts'
import { modern, rest, type TestGateway } from './gateway.ts'

/** How an object is away: it says so, or says nothing. */
export const AWAY = {
  'is gone': () => {
    throw new Error('the object is away')
  },
  hangs: () => new Promise(() => undefined),
} as const

/** A namespace whose objects are away for as long as the test says so. */
export function switchable<K extends keyof Bindings>(name: K, away: () => unknown) {
  const state = { isAway: false, calls: 0 }
  const real = env[name as keyof typeof env] as unknown as { getByName(name: string): object }
  const namespace = {
    getByName: (id: string) =>
      new Proxy(real.getByName(id), {
        get(target, member) {
          const value: unknown = Reflect.get(target, member)
          if (typeof value !== 'function') return value
          return (...args: unknown[]) => {
            state.calls += 1
            return state.isAway ? away() : Reflect.apply(value, target, args)
          }
        },
      }),
  }
  return { state, bindings: { [name]: namespace } as unknown as Partial<Bindings> }
}

/** Registers the server and gives the token of who did. */
export async function registered(gateway: TestGateway, path: string, url: string): Promise<string> {
  const token = await gateway.token()
  const server = { path, name: path, endpoints: [{ url }] }
  const response = await gateway.fetch('/api/v1/servers', rest(token, 'POST', server))
  expect(response.status).toBe(201)
  return token
}

export const echo = (token: string) =>
  modern(token, 'tools/call', { name: 'echo', arguments: {} }, {}, 'mine')

export async function expectServed(gateway: TestGateway, token: string, path = 'scripted') {
  const response = await gateway.fetch(`/${path}/mcp`, echo(token))
  expect(response.status).toBe(200)
  expect(await response.json()).toMatchObject({ id: 'mine', result: {} })
}

export const typesOf = (gateway: TestGateway) => gateway.events.map(({ type }) => type)
