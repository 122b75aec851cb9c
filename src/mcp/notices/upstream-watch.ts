import type { UpstreamAddress } from '../../registry/index.ts'
import type { Outcome } from '../upstream/failure.ts'
import type { UpstreamOutbound } from '../upstream/transports.ts'
import type { Change, Wanted } from './notice.ts'

/** How one upstream is watched, whatever its era. */
export interface UpstreamWatch {
  /** What of what was asked for it tells. */
  readonly told: Wanted
  /** Settles when nothing more will be heard. Never rejects. */
  readonly ended: Promise<void>
  /**
   * Wants something else of it from now on; gives what of that it tells. Absent where another watch
   * has to be opened for that.
   */
  change?(wanted: Wanted): Promise<Wanted>
  /** Leaves, and gives back what is held there. Never rejects. */
  close(): Promise<void>
}

/** What came of asking an upstream to tell of its changes. */
export type WatchOpening =
  | { readonly kind: 'open'; readonly watch: UpstreamWatch; readonly outcome: 'success' }
  /** It answers, and tells nothing: not now and not in a minute. */
  | { readonly kind: 'refused'; readonly outcome: Outcome | undefined }
  /** It may tell later. */
  | {
      readonly kind: 'failed'
      readonly outcome: Outcome | undefined
      /** The HTTP status that refused the handshake. */
      readonly status?: number | undefined
    }

export interface WatchRequest {
  readonly outbound: UpstreamOutbound
  /** The server's path, for errors. */
  readonly server: string
  readonly address: UpstreamAddress
  readonly wanted: Wanted
  readonly uuid: () => string
  readonly hear: (change: Change) => void
}
