import type { Cell } from '../cell.ts'
import { ANSWERS } from '../clients/client.ts'
import { assertAsked } from './asking.ts'

/** The server learns the client's roots. */
export async function roots(cell: Cell): Promise<void> {
  await assertAsked(cell, 'ask_roots', [
    { method: 'roots/list', params: {}, answer: ANSWERS.roots },
  ])
}
