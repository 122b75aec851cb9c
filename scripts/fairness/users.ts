import { readAnswer, sendOnce } from '../chaos/clients/http.ts'
import type { Random } from '../chaos/random.ts'
import { answerText } from '../chaos/upstream/tools.ts'
import type { UserTally } from './shares.ts'

/** Somebody who asks at a pace of their own, whether served or not. */
export interface User {
  readonly tenant: string
  readonly name: string
  readonly isGreedy: boolean
  readonly perMinute: number
  readonly token: string
}

export const SERVER = 'counter'
const MODERN = '2026-07-28'
const MAX_ERRORS = 3
/** Then the user waits for one of them, as people do: what is not sent is not asked. */
const MAX_OPEN = 8
const MINUTE_MS = 60_000

/** Sends all that a user asks in `forMs`, at even distances, and waits for the last answer. */
export async function useFor(
  user: User,
  urls: readonly string[],
  forMs: number,
  random: Random,
): Promise<UserTally> {
  const intervalMs = MINUTE_MS / user.perMinute
  const startedAt = Date.now() + random.between(0, intervalMs)
  const until = startedAt + forMs
  const tally = { asked: 0, served: 0, refused: 0 }
  const errors: string[] = []
  const open = new Set<Promise<void>>()
  for (let at = startedAt; at < until && Date.now() < until; at += intervalMs) {
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, at - Date.now())))
    while (open.size >= MAX_OPEN) await Promise.race(open)
    tally.asked += 1
    // Isolates in turn: whoever balances in front of the gateway knows no users.
    const url = urls[tally.asked % urls.length] ?? ''
    const asking: Promise<void> = ask(user, url, tally.asked).then((answer) => {
      open.delete(asking)
      if (answer === 'served' || answer === 'refused') tally[answer] += 1
      else if (errors.length < MAX_ERRORS) errors.push(answer)
    })
    open.add(asking)
  }
  await Promise.all(open)
  const { tenant, name, isGreedy } = user
  return { tenant, user: name, isGreedy, ...tally, errors }
}

/** `served`, `refused` by a limit, or what went wrong. */
async function ask(user: User, url: string, id: number): Promise<string> {
  const canary = `canary-${user.tenant}-${user.name}`
  const args = { nonce: `${user.tenant}-${user.name}-${id}`, canary }
  const meta = {
    'io.modelcontextprotocol/protocolVersion': MODERN,
    'io.modelcontextprotocol/clientCapabilities': {},
  }
  const params = { name: 'echo', arguments: args, _meta: meta }
  const answer = await sendOnce({
    url: `${url}/${SERVER}/mcp`,
    headers: {
      authorization: `Bearer ${user.token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': MODERN,
      'mcp-method': 'tools/call',
      'mcp-name': 'echo',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params }),
  })
  const expected = answerText(SERVER, 'echo', args)
  const { outcome } = readAnswer(answer, id, canary, (result) =>
    JSON.stringify(result).includes(expected),
  )
  if (outcome.kind === 'result') return 'served'
  return answer.status === 429 ? 'refused' : JSON.stringify(outcome)
}
