import type { Target } from './rows/row.ts'
import { PROGRESS_EVENTS } from './upstream/answers.ts'

const TIMEOUT_MS = 30_000

/**
 * Sends a target's request once, each of them where it has several; gives the headers of the last
 * answer, throws for any that is not correct.
 */
export async function checkAnswer(target: Target): Promise<Headers> {
  const { variants = [] } = target
  let headers = variants.length === 0 ? await ask(target) : new Headers()
  for (const variant of variants) {
    headers = await ask({
      ...target,
      url: new URL(variant.path, target.url).href,
      headers: { ...target.headers, ...variant.headers },
    })
  }
  return headers
}

async function ask(target: Target): Promise<Headers> {
  const response = await fetch(target.url, {
    method: 'POST',
    headers: target.headers,
    body: target.body,
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
  const text = await response.text()
  const problem = answerProblem(target, response.status, text)
  if (problem) throw new Error(`${target.name} ${problem}: ${text.slice(0, 500)}`)
  return response.headers
}

/** What to say of a round in which requests failed: a figure of wrong answers would be none. */
export async function failedRound(
  target: Target,
  failures: number,
  requests: number,
): Promise<Error> {
  const now = await checkAnswer(target).then(
    () => 'asked once more, it answers as it should: did it refuse what was too much?',
    (thrown: unknown) => `asked once more: ${thrown instanceof Error ? thrown.message : thrown}`,
  )
  const share = `${failures} of ${requests} requests to ${target.name} failed`
  const advice = target.name.startsWith('peer-') ? ' (Its limits have to be lifted for a run.)' : ''
  return new Error(`${share}; ${now}${advice}`)
}

/** What is wrong with an answer; undefined when nothing is. Pure. */
export function answerProblem(
  { expect, answer }: Pick<Target, 'expect' | 'answer'>,
  status: number,
  text: string,
): string | undefined {
  if (status !== 200) return `answered with status ${status}`
  const missing = expect.find((part) => !text.includes(part))
  if (missing !== undefined) return `answered without ${missing}`
  const events = text.split('"method":"notifications/progress"').length - 1
  if (answer === 'stream' && events !== PROGRESS_EVENTS) {
    return `answered with ${events} of ${PROGRESS_EVENTS} progress events`
  }
  return undefined
}
