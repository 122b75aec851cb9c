import { expect } from 'vitest'
import type { Actor } from '../../src/policy/index.ts'
import { parsePolicySeed, rightsOf } from '../../src/policy/index.ts'
import type { Discovery } from '../../src/registry/index.ts'
import { createGateway, DISCOVERY, principalOf, type TestGateway, VALID } from './gateway.ts'

/** A tool that `redefine` below can change. */
export const tool = (name: string, description = name) => ({
  name,
  description,
  inputSchema: { type: 'object' },
})

/** What the servers of `createShops` offer. */
export const OFFERS: Discovery = {
  ...DISCOVERY,
  tools: [tool('search'), tool('buy'), tool('bad name!'), tool('x'.repeat(65))],
  resources: [{ uri: 'file:///a', name: 'a' }],
  resourceTemplates: [{ uriTemplate: 'file:///{x}', name: 'x' }],
  prompts: [{ name: 'greet' }, { name: 'bye' }],
}

/** A virtual server over the servers of `createShops`. */
export const DESK = {
  path: 'desk',
  name: 'Desk',
  tools: [
    { server: 'books', name: 'search', as: 'find_books', description: 'Finds books' },
    { server: 'music', name: 'search', as: 'find_music' },
    { server: 'books', name: 'buy' },
  ],
  prompts: [{ server: 'books', name: 'greet', title: 'Say hello' }],
  resources: [{ server: 'books', uri: 'file:///a', name: 'List' }],
  resourceTemplates: [{ server: 'music', uriTemplate: 'file:///{x}' }],
}

/** A registry with the servers `books`, `music`, and `vault`, which is its owner's alone. */
export async function createShops(tenant: string): Promise<TestGateway> {
  const gateway = createGateway(tenant)
  gateway.state.discover = () => OFFERS
  for (const server of [
    { ...VALID, path: 'books' },
    { ...VALID, path: 'music' },
    { ...VALID, path: 'vault', visibility: 'private' },
  ]) {
    expect((await gateway.send('admins', 'POST', '/servers', server)).status).toBe(201)
  }
  return gateway
}

/** Makes every server of the gateway offer other tools from now on. */
export async function redefine(gateway: TestGateway, path: string, tools: readonly unknown[]) {
  gateway.state.discover = () => ({ ...OFFERS, tools })
  const answer = await gateway.send('admins', 'POST', `/servers/${path}/refresh`)
  expect(answer.status).toBe(200)
}

/** Whether each item of a list, as REST shows it, is as it was pinned. */
export const statesOf = (list: unknown) =>
  Array.isArray(list) ? list.map(({ state }) => state) : list

/** A member of the group `some` under a policy of its own. */
export async function actorUnder(
  gateway: TestGateway,
  seed: object,
  scopes: readonly string[] = [],
): Promise<Actor> {
  const principal = await principalOf(gateway.tenant, 'some', scopes)
  return { principal, rights: rightsOf(principal, parsePolicySeed(seed), { bootstrap: false }) }
}
