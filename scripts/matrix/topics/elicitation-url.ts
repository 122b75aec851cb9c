import { type Cell, call, clientCalls, resultOf, textIn, upstreamCalls } from '../cell.ts'
import { ANSWERS } from '../clients/client.ts'
import { LINK } from '../upstreams/tools.ts'
import { only, same } from '../wire/expect.ts'
import { dig, digObject, without } from '../wire/json.ts'
import { assertAsked, type Question } from './asking.ts'

const QUESTION: Question = {
  method: 'elicitation/create',
  params: { mode: 'url', ...LINK },
  answer: ANSWERS.link,
}

/** A link to open: as a question, and as the error that the legacy era has for it. */
export async function elicitationUrl(cell: Cell): Promise<void> {
  await assertAsked(cell, 'ask_link', [QUESTION])
  if (cell.clientEra === 'modern') checkNothingToldOfCompletion(cell)

  if (cell.upstreamEra === 'modern') {
    same('the questions of a visit', textIn(await call(cell, 'needs_visit')), 'welcome back')
    return
  }
  if (cell.clientEra === 'legacy') await errorReachesClient(cell)
  else await errorBecomesQuestion(cell)
}

/** The legacy client itself opens the link, and calls again. */
async function errorReachesClient(cell: Cell): Promise<void> {
  const refused = await call(cell, 'needs_visit').then(
    () => undefined,
    (error: unknown) => error,
  )
  same('the code of the error', dig(refused, 'code'), -32_042)
  const first = only('calls at the client', clientCalls(cell))
  const [served] = upstreamCalls(cell)
  same('the error at the client', errorOf(first), errorOf(served))
  same('the link', withoutId(dig(errorOf(first), 'data', 'elicitations', 0)), QUESTION.params)
  same('the second call', textIn(await call(cell, 'needs_visit')), 'welcome back')
  same('calls at the upstream', upstreamCalls(cell).length, 2)
}

/** The modern client knows no such error: it is asked, and its retry is the call once more. */
async function errorBecomesQuestion(cell: Cell): Promise<void> {
  same('what the tool said', textIn(await call(cell, 'needs_visit')), 'welcome back')
  const [first, second] = clientCalls(cell)
  same('calls at the client', clientCalls(cell).length, 2)
  const result = first ? resultOf(first) : {}
  same('the first resultType', result['resultType'], 'input_required')
  const [request] = Object.values(digObject(result, 'inputRequests'))
  same('what the client was asked', request, { method: QUESTION.method, params: QUESTION.params })
  same('the second resultType', second && resultOf(second)['resultType'], 'complete')

  const served = upstreamCalls(cell)
  same('calls at the upstream', served.length, 2)
  same('the error of the first', dig(served[0] && errorOf(served[0]), 'code'), -32_042)
  const params = served.map(({ sent }) => without(digObject(sent, 'params'), '_meta'))
  same('the second call at the upstream', params[1], params[0])
}

/** Since 2026-07-28 a server cannot tell that a page was left. */
function checkNothingToldOfCompletion({ client }: Cell): void {
  const told = client.wire.exchanges.flatMap(({ received }) =>
    received.filter(({ method }) => method === 'notifications/elicitation/complete'),
  )
  same('notifications/elicitation/complete at the client', told, [])
}

function errorOf(exchange: { readonly received: readonly unknown[] } | undefined): unknown {
  return dig(exchange?.received.at(-1), 'error')
}

function withoutId(elicitation: unknown): unknown {
  return without(digObject({ elicitation }, 'elicitation'), 'elicitationId')
}
