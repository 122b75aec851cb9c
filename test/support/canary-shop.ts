import { createFakeUpstream } from './fake-upstream.ts'
import { createTestGateway, modern, PUBLIC_URL, type TestGateway } from './gateway.ts'
import { registerShop } from './shop.ts'

/** Planted where nothing may ever be logged. */
export const CANARY = {
  argument: 'canary-argument-7e1f',
  result: 'canary-result-7e1f',
  custom: 'canary-custom-header-7e1f',
  subject: 'canary-subject-7e1f',
  query: 'canary-query-7e1f',
  caller: 'canary-caller-header-7e1f',
  fault: 'canary-fault-7e1f.example',
  description: 'canary-description-7e1f',
}

/** How the shop answers a call. */
export type ShopMood = 'well' | 'tool error' | 'rpc error' | 'http error' | 'redirect' | 'broken'

/** A tenant whose server and caller say canaries wherever they can. */
export interface CanaryShop {
  readonly gateway: TestGateway
  readonly token: string
  mood: ShopMood
  /** How lists are answered from now on. */
  listsBy(how: 'json' | 'sse'): void
  call(headers?: Record<string, string>): RequestInit
}

/** @see CanaryShop */
export async function canaryShop(): Promise<CanaryShop> {
  const fake = createFakeUpstream(['{"name":"echo","inputSchema":{"type":"object"}}'])
  const gateway = createTestGateway({
    seams: { fetcher },
    vars: {
      BOOTSTRAP_ADMIN: JSON.stringify({
        issuer: PUBLIC_URL,
        subject: CANARY.subject,
        breakGlass: true,
      }),
      BREAKER_FAILURE_THRESHOLD: '1000',
    },
  })
  const token = await gateway.token({ subject: CANARY.subject })
  const shop: CanaryShop = {
    gateway,
    token,
    mood: 'well',
    listsBy(how) {
      fake.answersBy = how
    },
    call: (headers = {}) =>
      modern(
        token,
        'tools/call',
        { name: 'echo', arguments: { text: CANARY.argument } },
        { 'x-custom': CANARY.caller, cookie: CANARY.caller, ...headers },
        CANARY.argument,
      ),
  }
  const headers = { 'x-api-key': CANARY.custom }
  await registerShop(gateway, token, { description: CANARY.description, headers })
  return shop

  /** The fake upstream, which says the canary in whatever it answers to a call. */
  async function fetcher(request: Request): Promise<Response> {
    const { mood } = shop
    if (mood === 'broken') throw new Error(`connect to ${CANARY.fault} refused`)
    if (mood === 'http error') return new Response(CANARY.result, { status: 500 })
    if (mood === 'redirect') {
      return new Response(null, { status: 307, headers: { location: `https://${CANARY.fault}/` } })
    }
    const response = await fake.fetcher(request)
    const text = await response.text()
    const { status, headers } = response
    if (!text.includes('ran echo')) return new Response(text || null, { status, headers })
    const isError = mood === 'tool error' ? '"isError":true,' : ''
    const edited =
      mood === 'rpc error'
        ? text.replace(/"result":.*$/, `"error":{"code":-32000,"message":"${CANARY.result}"}}`)
        : text.replace('ran echo', CANARY.result).replace('"result":{', `"result":{${isError}`)
    return new Response(edited, { status, headers })
  }
}
