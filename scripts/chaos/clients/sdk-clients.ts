import { connectLegacy } from '../../matrix/clients/legacy.ts'
import { connectModern } from '../../matrix/clients/modern.ts'
import type { Outcome } from '../records.ts'
import { answerText } from '../upstream/tools.ts'
import { firstText } from './ask.ts'
import { type Desk, placeOf } from './desk.ts'
import { foreignCanaries } from './http.ts'
import type { ChaosClient } from './raw-clients.ts'

const CONNECT = { legacy: connectLegacy, modern: connectModern } as const
type Connection = Awaited<ReturnType<typeof connectLegacy>>

const TIMEOUT_MS = 45_000
/** Then it connects anew, as people do, and with the token of then. */
const CALLS_PER_CONNECTION = 15

/**
 * A client by the SDK of its era, with everything it declares and does by itself. It sees answers
 * through its library: at most one each, and no id.
 */
export function createSdkClient(desk: Desk): ChaosClient {
  const connections = new Map<string, { readonly link: Connection; calls: number }>()
  let count = 0

  async function connectionTo(url: string): Promise<Connection> {
    const known = connections.get(url)
    if (known && known.calls < CALLS_PER_CONNECTION) {
      known.calls += 1
      return known.link
    }
    await drop(url)
    const options = { url, token: desk.token(), timeoutMs: TIMEOUT_MS }
    const link = await CONNECT[desk.era](options)
    connections.set(url, { link, calls: 1 })
    return link
  }

  async function drop(url: string): Promise<void> {
    const known = connections.get(url)
    connections.delete(url)
    await known?.link.close().catch(() => {})
  }

  return {
    async take(step) {
      if (step.kind !== 'call') return
      const { tool } = step
      const { path, nameOf } = placeOf(step.at, step.server)
      const url = `${desk.urls[step.isolate]}${path}`
      count += 1
      const args = { nonce: `${desk.client}-${count}`, canary: desk.canary }
      const startedAt = Date.now()
      let seen = ''
      let outcome: Outcome
      let isCall = false
      try {
        const link = await connectionTo(url)
        isCall = true
        const result = await link.call(nameOf(tool), args, {
          onProgress: (progress) => {
            seen += JSON.stringify(progress)
          },
        })
        seen += JSON.stringify(result)
        const isRight = firstText(result) === answerText(step.server, tool, args)
        outcome = isRight ? { kind: 'result' } : { kind: 'wrong_result', text: seen.slice(0, 300) }
      } catch (thrown) {
        outcome = outcomeOfThrown(thrown)
        await drop(url)
      }
      desk.record({
        nonce: args.nonce,
        client: desk.client,
        clientEra: desk.era,
        method: isCall ? 'tools/call' : 'connect',
        tool: isCall ? tool : undefined,
        server: step.server,
        at: step.at,
        tenant: desk.tenant,
        canary: desk.canary,
        startedAt,
        endedAt: Date.now(),
        outcome,
        answers: outcome.kind === 'broken' ? 0 : 1,
        strangers: 0,
        foreignCanaries: foreignCanaries(seen, desk.canary),
      })
    },
    async close() {
      for (const url of [...connections.keys()]) await drop(url)
    },
  }
}

/** As `fetch` and the SDKs say that a connection failed. */
const BROKEN = /fetch failed|terminated|other side closed|ECONN|socket|aborted|timed out/i

/** Errors of JSON-RPC have a number, refusals by HTTP have it and the gateway's answer as text. */
function outcomeOfThrown(thrown: unknown): Outcome {
  const { code, message, data, cause } = thrown as {
    code?: unknown
    message?: string
    data?: unknown
    cause?: unknown
  }
  const text = `${message ?? ''} ${JSON.stringify(data ?? {})}`
  const word = /\\?"code\\?":\\?"([a-z_]+)\\?"/.exec(text)?.[1]
  const reason = `${String(thrown)} ${String(cause ?? '')}`.slice(0, 300)
  if (word === undefined && BROKEN.test(reason)) return { kind: 'broken', reason }
  const rpc = typeof code === 'number' ? code : 0
  return { kind: 'error', status: 0, rpc, code: word ?? '', text: reason }
}
