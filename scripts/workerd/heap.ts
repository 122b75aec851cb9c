import WebSocket from 'ws'

/** What the JavaScript heaps of a workerd hold once nothing in them is garbage. */

/** Far longer than collecting takes: an isolate that runs JavaScript is waited for. */
const DEADLINE_MS = 10_000

/**
 * Has all isolates of a workerd collect their garbage, and gives the bytes then in use. Takes its
 * `inspectorPort`. Throws when one does not answer.
 * V8's own `HeapProfiler.collectGarbage` is never done: workerd does not run the task it becomes.
 */
export async function collectGarbage(inspectorPort: number): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${inspectorPort}/json`, {
    signal: AbortSignal.timeout(DEADLINE_MS),
  })
  const isolates = asIsolates(await response.json())
  let bytes = 0
  for (const { webSocketDebuggerUrl } of isolates) bytes += await collectIn(webSocketDebuggerUrl)
  return bytes
}

async function collectIn(url: string): Promise<number> {
  const socket = new WebSocket(url)
  try {
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${url} is silent`)), DEADLINE_MS)
      const settle = (finish: () => void): void => {
        clearTimeout(timer)
        finish()
      }
      const ask = (id: number, method: string, params: object = {}) =>
        socket.send(JSON.stringify({ id, method, params }))
      socket.onopen = () => ask(1, 'Runtime.enable')
      socket.onerror = () => settle(() => reject(new Error(`${url} cannot be inspected`)))
      socket.onclose = () => settle(() => reject(new Error(`${url} was closed`)))
      socket.onmessage = ({ data }) => {
        const { id, method, params, result } = asMessage(JSON.parse(String(data)))
        if (method === 'Runtime.executionContextCreated') {
          // Twice: what finalizers let go of is garbage only then.
          ask(2, 'Runtime.evaluate', { expression: 'gc(); gc()', contextId: params?.context?.id })
        }
        if (id === 2 && result?.exceptionDetails)
          settle(() => reject(new Error('there is no gc()')))
        else if (id === 2) ask(3, 'Runtime.getHeapUsage')
        if (id === 3) settle(() => resolve(result?.usedSize ?? 0))
      }
    })
  } finally {
    socket.onclose = null
    socket.close()
  }
}

/** What the inspector lists. */
function asIsolates(value: unknown): readonly { webSocketDebuggerUrl: string }[] {
  return value as ReturnType<typeof asIsolates>
}

/** Those members of the Chrome DevTools Protocol that are read here. */
function asMessage(value: unknown): {
  readonly id?: number
  readonly method?: string
  readonly params?: { readonly context?: { readonly id: number } }
  readonly result?: { readonly usedSize?: number; readonly exceptionDetails?: object }
} {
  return value as ReturnType<typeof asMessage>
}
