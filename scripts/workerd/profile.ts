import WebSocket from 'ws'

/** Time in one function itself, without what it called. */
export interface SelfTime {
  /** The function, and its line in the bundle; in parentheses what is none. */
  readonly name: string
  readonly micros: number
}

/** V8's own default is 1 ms; a call takes half of that. */
const SAMPLING_MICROS = 100

/** What one function made. */
export interface Made {
  /** As in `SelfTime`. */
  readonly name: string
  readonly bytes: number
}

/** Bytes between two samples: a call makes ten times as many. */
const SAMPLING_BYTES = 2_048

/** Samples the main isolate of a workerd while `run` goes on, by its `inspectorPort`. */
export function profileDuring<T>(
  inspectorPort: number,
  run: () => Promise<T>,
): Promise<{ readonly selfTimes: readonly SelfTime[]; readonly result: T }> {
  return inspecting(inspectorPort, async (ask) => {
    await ask('Profiler.enable')
    await ask('Profiler.setSamplingInterval', { interval: SAMPLING_MICROS })
    await ask('Profiler.start')
    const result = await run()
    const { profile } = (await ask('Profiler.stop')) as { profile: Profile }
    return { selfTimes: selfTimesOf(profile), result }
  })
}

/**
 * Samples what is made meanwhile: all of it, or only what outlives the collection of what is young
 * (`isLasting`).
 */
export function madeDuring<T>(
  inspectorPort: number,
  isLasting: boolean,
  run: () => Promise<T>,
): Promise<{ readonly made: readonly Made[]; readonly result: T }> {
  return inspecting(inspectorPort, async (ask) => {
    await ask('HeapProfiler.enable')
    await ask('HeapProfiler.startSampling', {
      samplingInterval: SAMPLING_BYTES,
      includeObjectsCollectedByMajorGC: true,
      includeObjectsCollectedByMinorGC: !isLasting,
    })
    const result = await run()
    const { profile } = (await ask('HeapProfiler.stopSampling')) as { profile: { head: MadeNode } }
    return { made: madeOf(profile.head), result }
  })
}

type Ask = (method: string, params?: object) => Promise<unknown>

async function inspecting<T>(inspectorPort: number, use: (ask: Ask) => Promise<T>): Promise<T> {
  const response = await fetch(`http://127.0.0.1:${inspectorPort}/json`)
  const isolates = (await response.json()) as { id: string; webSocketDebuggerUrl: string }[]
  const main = isolates.find(({ id }) => id === 'main') ?? isolates[0]
  if (!main) throw new Error('nothing can be inspected')
  const socket = new WebSocket(main.webSocketDebuggerUrl)
  try {
    return await use(await asker(socket))
  } finally {
    socket.close()
  }
}

/** Those members of the Chrome DevTools Protocol that are read here. */
interface Profile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: CallFrame }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

interface CallFrame {
  readonly functionName: string
  /** From 0; below it for what has no source. */
  readonly lineNumber: number
}

interface MadeNode {
  readonly callFrame: CallFrame
  readonly selfSize: number
  readonly children: readonly MadeNode[]
}

/** By name, the most first. Pure. */
export function madeOf(head: MadeNode): Made[] {
  const sizes = new Map<string, number>()
  const add = ({ callFrame, selfSize, children }: MadeNode): void => {
    const name = nameOf(callFrame) || 'native'
    sizes.set(name, (sizes.get(name) ?? 0) + selfSize)
    for (const child of children) add(child)
  }
  add(head)
  return [...sizes].map(([name, bytes]) => ({ name, bytes })).sort((a, b) => b.bytes - a.bytes)
}

/** By name, the longest first. Pure. */
export function selfTimesOf({ nodes, samples, timeDeltas }: Profile): SelfTime[] {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]))
  const times = new Map<string, number>()
  for (const [at, id] of samples.entries()) {
    const name = names.get(id) || 'native'
    times.set(name, (times.get(name) ?? 0) + (timeDeltas[at] ?? 0))
  }
  return [...times].map(([name, micros]) => ({ name, micros })).sort((a, b) => b.micros - a.micros)
}

function nameOf({ functionName, lineNumber }: CallFrame): string {
  return lineNumber < 0 ? functionName : `${functionName || 'anonymous'} :${lineNumber + 1}`
}

async function asker(socket: WebSocket): Promise<Ask> {
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
  return (method, params = {}) =>
    new Promise((resolve) => {
      last += 1
      waiting.set(last, resolve)
      socket.send(JSON.stringify({ id: last, method, params }))
    })
}
