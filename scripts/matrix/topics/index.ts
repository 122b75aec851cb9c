import type { Cell } from '../cell.ts'
import { cancel } from './cancel.ts'
import { elicitationForm } from './elicitation-form.ts'
import { elicitationUrl } from './elicitation-url.ts'
import { listChanged } from './list-changed.ts'
import { logging } from './logging.ts'
import { plainCall } from './plain-call.ts'
import { progress } from './progress.ts'
import { resourceUpdates } from './resource-updates.ts'
import { roots } from './roots.ts'
import { sampling } from './sampling.ts'
import { structuredContent } from './structured-content.ts'

/** What works between a client and a server, whatever eras they are of. Throws what does not. */
export interface Topic {
  readonly name: string
  /** Whether the client is asked something, so that a call is parked while it thinks. */
  readonly isParked?: true
  run(cell: Cell): Promise<void>
}

/** The rows of the matrix. */
export const TOPICS: readonly Topic[] = [
  { name: 'plain-call', run: plainCall },
  { name: 'progress', run: progress },
  { name: 'logging', run: logging },
  { name: 'elicitation-form', run: elicitationForm, isParked: true },
  { name: 'elicitation-url', run: elicitationUrl, isParked: true },
  { name: 'sampling', run: sampling, isParked: true },
  { name: 'roots', run: roots, isParked: true },
  { name: 'list-changed', run: listChanged },
  { name: 'resource-updates', run: resourceUpdates },
  { name: 'cancel', run: cancel },
  { name: 'structured-content', run: structuredContent },
]
