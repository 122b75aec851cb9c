import { SUBSCRIPTION_ID_META_KEY } from '@modelcontextprotocol/server'
import { isPlainObject, mediaType } from '../../core/index.ts'
import { TASKS } from '../extensions.ts'
import { GATEWAY_INFO, MODERN_VERSION } from '../messages.ts'
import { outcomeOf } from '../upstream/failure.ts'
import { hopTwoHeaders } from '../upstream/headers.ts'
import { openMessages } from '../wire/read-messages.ts'
import { changeIn } from './change-in.ts'
import { filterOf, wantedIn } from './filter.ts'
import { hearAll, MAX_HEARD_BYTES } from './hear-all.ts'
import { both, type Wanted } from './notice.ts'
import type { WatchOpening, WatchRequest } from './upstream-watch.ts'

/** A server says at once what it will tell; one that does not is taken at its capabilities. */
const ACK_MS = 3_000
/** These say nothing of whether the server tells of changes. */
const PASSING: readonly number[] = [401, 403, 408, 429]

/**
 * Listens to a modern server (MCP 2026-07-28, subscriptions/listen). To want something else is to
 * listen anew, since a subscription does not change.
 */
export async function openListen(request: WatchRequest): Promise<WatchOpening> {
  const { outbound, address, wanted, uuid, hear } = request
  const id = uuid()
  const headers = hopTwoHeaders({ custom: address.headers, version: MODERN_VERSION })
  headers.set('mcp-method', 'subscriptions/listen')
  const leave = new AbortController()
  const result = await outbound.send({
    ...{ ...address, method: 'POST', headers },
    body: bodyOf(id, wanted),
    signal: leave.signal,
  })
  const outcome = outcomeOf(result)
  if (result.kind === 'fault') return { kind: 'failed', outcome }
  const { status, body } = result.response
  const type = mediaType(result.response.headers.get('content-type'))
  if (!result.response.ok || !body || type !== 'text/event-stream') {
    await body?.cancel()
    const isRefused = status < 500 && !PASSING.includes(status)
    return { kind: isRefused ? 'refused' : 'failed', outcome }
  }
  const messages = openMessages(body, type, MAX_HEARD_BYTES)
  let acknowledge: (told: Wanted | undefined) => void = () => undefined
  const acknowledged = new Promise<Wanted | undefined>((resolve) => {
    acknowledge = resolve
  })
  const timer = setTimeout(() => acknowledge(wanted), ACK_MS)
  const ended = hearAll(messages, (message, raw) => {
    if (message['method'] === ACKNOWLEDGED) {
      acknowledge(isOurs(message, id) ? both(wantedIn(message), wanted) : wanted)
      return
    }
    if ('id' in message && message['id'] === id) {
      // Its result: the server listens no more, or it is an error and never did.
      acknowledge('error' in message ? undefined : wanted)
      void messages.cancel()
      return
    }
    const change = changeIn(message, raw)
    if (!change) return
    acknowledge(wanted)
    hear(change)
  }).finally(() => acknowledge(undefined))
  const told = await acknowledged
  clearTimeout(timer)
  const close = async (): Promise<void> => {
    leave.abort()
    await messages.cancel()
  }
  if (told) return { kind: 'open', outcome: 'success', watch: { told, ended, close } }
  await close()
  return { kind: 'refused', outcome: 'success' }
}

const ACKNOWLEDGED = 'notifications/subscriptions/acknowledged'

function bodyOf(id: string, wanted: Wanted): string {
  return JSON.stringify({
    jsonrpc: '2.0',
    id,
    method: 'subscriptions/listen',
    params: {
      notifications: filterOf(wanted),
      _meta: {
        'io.modelcontextprotocol/protocolVersion': MODERN_VERSION,
        'io.modelcontextprotocol/clientCapabilities': wanted.tasks
          ? { extensions: { [TASKS]: {} } }
          : {},
        'io.modelcontextprotocol/clientInfo': GATEWAY_INFO,
      },
    },
  })
}

/** One that names another subscription says nothing of ours. */
function isOurs({ params }: Readonly<Record<string, unknown>>, id: string): boolean {
  const meta = isPlainObject(params) ? params['_meta'] : undefined
  return !isPlainObject(meta) || (meta[SUBSCRIPTION_ID_META_KEY] ?? id) === id
}
