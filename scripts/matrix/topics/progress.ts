import { type Cell, call, clientCalls, resultOf, told, upstreamCalls } from '../cell.ts'
import { STEPS } from '../upstreams/tools.ts'
import { holds, only, same } from '../wire/expect.ts'
import { dig, type Json, without } from '../wire/json.ts'

const METHOD = 'notifications/progress'

/** Progress comes on the call's own stream, in order, under the token that the client chose. */
export async function progress(cell: Cell): Promise<void> {
  const heard: Json[] = []
  await call(cell, 'steps', {}, { onProgress: (step) => void heard.push(step) })
  const asked = only('calls at the client', clientCalls(cell))
  const served = only('calls at the upstream', upstreamCalls(cell))
  const steps = told(asked, METHOD)
  same('steps on the stream of the call', steps.length, STEPS)
  same('steps that the client heard', heard.length, STEPS)
  const token = dig(asked.sent, 'params', '_meta', 'progressToken')
  holds(
    'the upstream got no token',
    dig(served.sent, 'params', '_meta', 'progressToken') !== undefined,
  )
  for (const [index, step] of steps.entries()) {
    same('the token at the client', dig(step, 'params', 'progressToken'), token)
    same('a step', content(step), content(told(served, METHOD)[index] ?? {}))
    same('the order of the steps', dig(step, 'params', 'progress'), index + 1)
  }
  same('what came last', asked.received.at(-1)?.['method'], undefined)
  holds('the call has no result', 'content' in resultOf(asked))

  // Who names no token hears nothing.
  await call(cell, 'steps', {}, { part: 'silent' })
  const silent = only('silent calls at the client', clientCalls(cell, 'silent'))
  same('progress without a token', told(silent, METHOD).length, 0)
}

function content(step: Json): Json {
  return without({ ...(dig(step, 'params') as Json) }, 'progressToken', '_meta')
}
