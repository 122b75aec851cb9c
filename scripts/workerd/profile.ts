import WebSocket from 'ws'

/** Time in one function itself, without what it called. */
export interface SelfTime {
  /** The function, and its line in the bundle; in parentheses what is none. */
  readonly name: string
  readonly micros: number
}

/** V8's own default is 1 ms; a call takes half of that. */
const SAMPLING_MICROS = 100

/** Samples the main isolate of a workerd while `run` goes on, by its `inspectorPort`. */
export async function profileDuring<T>(
  inspectorPort: number,
  run: () => Promise<T>,
): Promise<{ readonly selfTimes: readonly SelfTime[]; readonly result: T }> {
  const response = await fetch(`http://127.0.0.1:${inspectorPort}/json`)
  const isolates = (await response.json()) as { id: string; webSocketDebuggerUrl: string }[]
  const main = isolates.find(({ id }) => id === 'main') ?? isolates[0]
  if (!main) throw new Error('nothing can be inspected')
  const socket = new WebSocket(main.webSocketDebuggerUrl)
  try {
    const ask = await asker(socket)
    await ask('Profiler.enable')
    await ask('Profiler.setSamplingInterval', { interval: SAMPLING_MICROS })
    await ask('Profiler.start')
    const result = await run()
    const { profile } = (await ask('Profiler.stop')) as { profile: Profile }
    return { selfTimes: selfTimesOf(profile), result }
  } finally {
    socket.close()
  }
}

/** Those members of the Chrome DevTools Protocol that are read here. */
interface Profile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly lineNumber: number }
  }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

/** By name, the longest first. Pure. */
export function selfTimesOf({ nodes, samples, timeDeltas }: Profile): SelfTime[] {
  const names = new Map(
    nodes.map(({ id, callFrame: { functionName, lineNumber } }) => [
      id,
      lineNumber < 0 ? functionName : `${functionName || 'anonymous'} :${lineNumber + 1}`,
    ]),
  )
  const times = new Map<string, number>()
  for (const [at, id] of samples.entries()) {
    const name = names.get(id) || 'native'
    times.set(name, (times.get(name) ?? 0) + (timeDeltas[at] ?? 0))
  }
  return [...times].map(([name, micros]) => ({ name, micros })).sort((a, b) => b.micros - a.micros)
}

async function asker(socket: WebSocket) {
  const waiting = new Map<number, (answer: unknown) => void>()
  let last = 0
  socket.on('message', (data) => {
    const { id, result } = JSON.parse(String(data)) as { id?: number; result?: unknown }
    if (id !== undefined) waiting.get(id)?.(result)
  })
  await new Promise<void>((resolve, reject) => {
    socket.once('open', () => resolve())
    socket.once('error', reject)
  })
  return (method: string, params: object = {}): Promise<unknown> =>
    new Promise((resolve) => {
      last += 1
      waiting.set(last, resolve)
      socket.send(JSON.stringify({ id: last, method, params }))
    })
}
