import type { Execution } from './upstream/upstream.ts'

/** What came of one request, as its client saw it. */
export type Outcome =
  | { readonly kind: 'result' }
  /** A result that is not this call's. */
  | { readonly kind: 'wrong_result'; readonly text: string }
  | {
      readonly kind: 'error'
      /** Of HTTP; 0 where the client library does not say. */
      readonly status: number
      /** Of JSON-RPC. */
      readonly rpc: number
      /** `data.code`: the gateway's own word; empty in an error of the server's. */
      readonly code: string
      readonly text: string
    }
  /** HTTP without a message of JSON-RPC. */
  | { readonly kind: 'no_message'; readonly status: number; readonly text: string }
  /** The connection failed, broke, or was silent for too long. */
  | { readonly kind: 'broken'; readonly reason: string }
  /** The client itself left before the answer. */
  | { readonly kind: 'left' }

/** One request of a run, and all that came back to it. */
export interface CallRecord {
  /** Unique in the run. */
  readonly nonce: string
  readonly client: string
  readonly clientEra: 'modern' | 'legacy'
  readonly method: string
  readonly tool?: string | undefined
  /** Undefined: a request that the gateway answers for all of them. */
  readonly server: string | undefined
  readonly at: 'server' | 'shared'
  readonly tenant: string
  readonly canary: string
  /** Epoch ms. */
  readonly startedAt: number
  readonly endedAt: number
  readonly outcome: Outcome
  /** Responses under the request's own id, or to a request whose id was not read. */
  readonly answers: number
  /** Responses under any other id. */
  readonly strangers: number
  /** Canaries of others in all that came back. */
  readonly foreignCanaries: readonly string[]
}

/** Somebody used the session of somebody else. */
export interface Trespass {
  readonly client: string
  readonly owner: string
  readonly startedAt: number
  readonly endedAt: number
  readonly outcome: Outcome
}

/** Epoch ms, both ends included. */
export interface Span {
  readonly from: number
  readonly to: number
}

/** All that a run knows when it is over; the verdict follows from it alone. */
export interface RunRecord {
  readonly calls: readonly CallRecord[]
  readonly trespasses: readonly Trespass[]
  readonly executions: readonly Execution[]
  /** From before the signal until the gateway listened again. */
  readonly restarts: readonly Span[]
  /** From the answer that says it is off until the request to turn it on. */
  readonly disabled: readonly (Span & { readonly tenant: string; readonly server: string })[]
  /** Requests that met each fault, `refuse` counted in times. */
  readonly faultsMet: ReadonlyMap<string, number>
  readonly memory: Memory
}

/** Of a process whose isolates have just collected their garbage. */
export interface MemoryUse {
  /** Of JavaScript, in use. */
  readonly heapBytes: number
  /** Undefined where the system does not tell. */
  readonly residentBytes: number | undefined
}

/** Of the process that ends the run. */
export interface Memory {
  readonly warm: MemoryUse
  readonly afterIdle: MemoryUse
  readonly idleMs: number
}
