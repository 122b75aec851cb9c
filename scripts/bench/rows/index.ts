import { direct } from './direct.ts'
import { aggregated, legacy, modern, streamed } from './gateway.ts'
import type { Row } from './row.ts'

/** In the order of the report. (b) comes with the rows that it is the ceiling of. */
export const ROWS: readonly Row[] = [direct, modern, legacy, aggregated, streamed]
