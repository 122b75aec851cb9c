import { createServer } from 'node:http'
import { onLoopback } from '../../../test/support/loopback.ts'
import { mcpListener } from '../../samples/listener.ts'
import { createRecorder, type Handle, type Recorder } from '../wire/recorder.ts'
import type { Stage } from './stage.ts'

export type Era = 'legacy' | 'modern'

/** A server that speaks one era alone, and what it saw. */
export interface Upstream {
  readonly era: Era
  /** Of its MCP endpoint. */
  readonly url: string
  readonly wire: Recorder
  readonly stage: Stage
  /** Whether anybody listens: to the list of tools, or to the resource with this URI. */
  isWatched(uri?: string): boolean
  /** Whether anybody is subscribed to the resource, listening or not. */
  isSubscribed(uri: string): boolean
  /** Adds a tool and tells those who listen; gives its name. */
  changeTools(): string
  /** Changes a resource and tells those who subscribed to it. */
  changeResource(uri: string): void
  stop(): Promise<void>
}

export const INSTRUCTIONS = 'Ask politely.'
export const RESOURCE_NOT_FOUND = 'There is no such resource.'
export const CAPABILITIES = {
  tools: { listChanged: true },
  resources: { listChanged: true, subscribe: true },
  logging: {},
}

/** Where an era's server listens, and what its wire saw. */
export interface Host {
  readonly url: string
  readonly wire: Recorder
  stop(): Promise<void>
}

/** Serves it on a free port of loopback, at `/mcp`. */
export async function host(handle: Handle): Promise<Host> {
  const wire = createRecorder()
  const server = createServer(mcpListener({ fetch: wire.around(handle) }))
  const { origin, stop } = await onLoopback(server)
  return { url: `${origin}/mcp`, wire, stop }
}
