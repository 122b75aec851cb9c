import type { AnswerPlan } from './answer-rules.ts'

/** To copy these costs half of naming them each time. */
const JSON_HEADERS = new Headers({
  'content-type': 'application/json',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
})

/** A JSON answer to the client, under the headers of its plan. */
export function jsonResponse(plan: AnswerPlan, body: BodyInit, status: number): Response {
  const response = new Response(body, { status, headers: JSON_HEADERS })
  if (!plan.headers) return response
  for (const [name, value] of Object.entries(plan.headers)) response.headers.set(name, value)
  return response
}
