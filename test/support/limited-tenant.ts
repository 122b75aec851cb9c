import { expect, inject } from 'vitest'
import { createTestGateway, modern, rest, type TestGateway } from './gateway.ts'
import { stoppedClock } from './stopped-clock.ts'

const POLICY = {
  group_mappings: { callers: ['callers'] },
  callers: [
    ...['modern', 'twin', 'desk'].map((server) => ({ server, methods: ['*'], tools: ['*'] })),
    { server: 'scripted', methods: ['*'], tools: ['*'] },
  ],
}

export const echo = (token: string, name = 'echo', headers: Record<string, string> = {}) =>
  modern(token, 'tools/call', { name, arguments: { message: 'hi' } }, headers)

/** A tenant with servers, a virtual one, and so many isolates of one deployment. */
export async function limitedTenant(isolates: number, vars: Record<string, string> = {}) {
  const clock = stoppedClock()
  const options = { vars: { LIMIT_TENANT_PER_MINUTE: '1000000', ...vars }, seams: { clock } }
  const gateway = createTestGateway(options)
  const root = await gateway.token()
  const post = async (path: string, body: unknown, method = 'POST') => {
    const response = await gateway.fetch(path, rest(root, method, body))
    const answer = await response.json<Record<string, unknown>>()
    expect(response.status, JSON.stringify(answer)).toBeLessThan(300)
    return answer
  }
  for (const path of ['modern', 'twin']) {
    const endpoints = [{ url: inject('modernUrl') }]
    await post('/api/v1/servers', { path, name: path, endpoints })
  }
  const scripted = [{ url: `${inject('scriptedOrigin')}/dual` }]
  await post('/api/v1/servers', { path: 'scripted', name: 'scripted', endpoints: scripted })
  const tools = [{ server: 'modern', name: 'echo', as: 'say' }]
  await post('/api/v1/virtual-servers', { path: 'desk', name: 'Desk', tools })
  await post('/api/v1/policy', POLICY, 'PUT')
  const others = Array.from({ length: isolates - 1 }, () =>
    createTestGateway({ ...options, tenant: gateway.tenant }),
  )
  const token = (subject = 'caller') => gateway.token({ subject, groups: ['callers'] })
  const limit = (rule: object) =>
    post('/api/v1/limits', { name: 'rule', window: 'minute', ...rule })
  return { gateway, all: [gateway, ...others], root, post, token, limit, clock }
}

export async function statusOf(gateway: TestGateway, path: string, init: RequestInit) {
  const { response, settle } = await gateway.fetchWith(path, init)
  await response.text()
  await settle()
  return response.status
}
