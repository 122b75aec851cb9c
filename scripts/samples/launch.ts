import { createRequire } from 'node:module'
import { join } from 'node:path'
import { type Child, startChild } from '../start/child.ts'
import { freePort } from '../workerd/free-port.ts'

/** A sample upstream that answers. */
export interface RunningSample {
  /** Of its MCP endpoint. */
  readonly url: string
  readonly child: Child
  stop(): Promise<void>
}

/** For a server that we did not write and that would listen on every interface. */
export const ON_LOOPBACK = ['--import', join(import.meta.dirname, 'listen-on-loopback.ts')]
const READY_DEADLINE_MS = 15_000

/** Our own samples by the name under which they are registered. */
const OWN_SAMPLES = { currenttime: 'time-server.ts', fininfo: 'finance-server.ts' } as const

/** Starts one of our samples on a free port and waits for its ready line. */
export function launchSample(name: keyof typeof OWN_SAMPLES): Promise<RunningSample> {
  return launchAnnounced(name, join(import.meta.dirname, OWN_SAMPLES[name]))
}

/** Starts a script that prints `{"ready":true,"url":...}` once it listens. */
export async function launchAnnounced(name: string, script: string): Promise<RunningSample> {
  let announce: (url: string) => void = () => {}
  const ready = new Promise<string>((resolve) => {
    announce = resolve
  })
  const child = startChild({
    name,
    args: [script],
    onLine: (line) => {
      const url = /^\{"ready":true,"url":"([^"]+)"\}$/.exec(line)?.[1]
      if (url) announce(url)
    },
  })
  const url = await orFailure(child, ready)
  return { url, child, stop: () => child.stop() }
}

/** How server-everything is told its transport, and where its endpoint is then. */
const EVERYTHING = {
  'streamable-http': { mode: 'streamableHttp', path: '/mcp' },
  sse: { mode: 'sse', path: '/sse' },
} as const

/** Starts `@modelcontextprotocol/server-everything` (legacy era, sessions), by default on a free port. */
export async function launchEverything(
  samePort?: number,
  transport: keyof typeof EVERYTHING = 'streamable-http',
): Promise<RunningSample> {
  const { mode, path } = EVERYTHING[transport]
  const port = samePort ?? (await freePort())
  const manifest = createRequire(import.meta.url).resolve(
    '@modelcontextprotocol/server-everything/package.json',
  )
  const child = startChild({
    name: 'everything',
    args: [...ON_LOOPBACK, join(manifest, '../dist/index.js'), mode],
    // Its tool get-env shows the environment: give it none.
    env: {
      ...Object.fromEntries(Object.keys(process.env).map((key) => [key, undefined])),
      PORT: `${port}`,
    },
  })
  const url = `http://127.0.0.1:${port}${path}`
  await orFailure(child, untilAnswering(url))
  return { url, child, stop: () => child.stop() }
}

/** The value, unless the child ends or the deadline passes first: then it is stopped, and why. */
export async function orFailure<T>(child: Child, ready: Promise<T>): Promise<T> {
  const cancel = new AbortController()
  const failure = Promise.race([
    child.exited.then((how) => `ended with ${how}`),
    delay(READY_DEADLINE_MS, cancel.signal).then(
      () => `is not ready after ${READY_DEADLINE_MS} ms`,
    ),
  ]).then((what) => {
    throw new Error(`${child.name} ${what}\n${child.tail()}`)
  })
  try {
    return await Promise.race([ready, failure])
  } catch (error) {
    await child.stop()
    throw error
  } finally {
    cancel.abort()
    failure.catch(() => {})
  }
}

/** Any HTTP answer counts: without a session this endpoint answers 400. */
async function untilAnswering(url: string): Promise<void> {
  const deadline = Date.now() + READY_DEADLINE_MS
  while (Date.now() < deadline) {
    const answered = await fetch(url).then(
      (response) => response.body?.cancel().then(() => true) ?? true,
      () => false,
    )
    if (answered) return
    await delay(50)
  }
}

function delay(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal?.addEventListener('abort', () => clearTimeout(timer))
  })
}
