import type { OwnGateway } from '../../workerd/own-gateway.ts'
import type { InstalledNginx } from '../nginx/process.ts'
import type { Upstream } from '../upstream/start.ts'

/** Something that answers requests, and the request that it is measured with. */
export interface Target {
  /** Unique in a run, such as `gateway-modern`. */
  readonly name: string
  readonly url: string
  /** Without Host and Content-Length, which the client adds. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** Parts of every correct answer: the id that was sent, and what only a success has. */
  readonly expect: readonly string[]
  /** Processes whose CPU and memory count. */
  readonly pids: readonly number[]
  /** `stream`: the answer is events, and the first of them is timed. */
  readonly answer: 'message' | 'stream'
  /** Requests that take turns, where one alone would not do: path and headers over those above. */
  readonly variants?: readonly Variant[]
  /** The ceiling that it is compared with. */
  readonly ceiling?: string
}

/** One of several requests with the same body. */
export interface Variant {
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
}

/** What rows are started in: processes that several share, and the folder of this run. */
export interface World {
  readonly folder: string
  readonly upstream: Upstream
  readonly nginx: InstalledNginx | undefined
  readonly gateway: OwnGateway
  readonly peers: readonly Peer[]
  /** Registers a server of the gateway, once; an upstream's `url`. */
  registered(path: string, url: string): Promise<void>
  /** Runs at the end, last first. */
  onStop(cleanup: () => Promise<unknown>): void
}

/** A gateway of somebody else, given by its URL; its CPU and memory are not known. */
export interface Peer {
  readonly name: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** As the peer names the upstream's tool `echo`. */
  readonly tool: string
}

/** One row of the report, or a few that are started together. */
export interface Row {
  /** As in the documentation: `a` to `j`. */
  readonly letter: string
  /** Part of `--quick`. */
  readonly isQuick: boolean
  /** Why it cannot run here; undefined when it can. */
  missing?(world: World): string | undefined
  start(world: World): Promise<readonly Target[]>
}
