import type { Cell } from '../cell.ts'
import { ANSWERS } from '../clients/client.ts'
import { PROMPT } from '../upstreams/tools.ts'
import { assertAsked } from './asking.ts'

/** The client's model answers the server. */
export async function sampling(cell: Cell): Promise<void> {
  const question = { method: 'sampling/createMessage', params: PROMPT, answer: ANSWERS.model }
  await assertAsked(cell, 'ask_model', [question])
}
