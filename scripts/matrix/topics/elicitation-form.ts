import type { Cell } from '../cell.ts'
import { ANSWERS } from '../clients/client.ts'
import { FORM, SECOND_FORM } from '../upstreams/tools.ts'
import { assertAsked } from './asking.ts'

const METHOD = 'elicitation/create'

/** A form, and a form after a form within one call. */
export async function elicitationForm(cell: Cell): Promise<void> {
  const first = { method: METHOD, params: FORM, answer: ANSWERS.form }
  await assertAsked(cell, 'ask_form', [first])
  await assertAsked(cell, 'ask_twice', [first, { ...first, params: SECOND_FORM }])
}
