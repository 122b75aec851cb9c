import { direct } from './direct.ts'
import { aggregated, byHand, legacy, modern, streamed } from './gateway.ts'
import { nginxRow } from './nginx.ts'
import { peerRow } from './peers.ts'
import type { Row } from './row.ts'

/**
 * What is measured by calls, in the order of the report. (b) comes with the rows that it is the
 * ceiling of; (g), which is no call, is `lists.ts`.
 */
export const ROWS: readonly Row[] = [
  direct,
  modern,
  legacy,
  aggregated,
  streamed,
  nginxRow,
  peerRow,
  byHand,
]
