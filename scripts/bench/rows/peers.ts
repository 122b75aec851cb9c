import { answerProblem } from '../check-answer.ts'
import { legacyCall, modernCall, openSession } from './messages.ts'
import type { Peer, Row, Target } from './row.ts'

/** (i) Gateways of others, in front of an upstream that they were given by whoever runs them. */
export const peerRow: Row = {
  letter: 'i',
  isQuick: true,
  start: ({ peers }) => Promise.all(peers.map(targetOf)),
}

/** A modern call where the peer answers one, else a call in a legacy session. */
async function targetOf({ name, url, headers, tool }: Peer): Promise<Target> {
  const base = { name: `peer-${name}`, url, pids: [], answer: 'message' as const }
  const call = modernCall(tool)
  const modern: Target = { ...base, ...call, headers: { ...call.headers, ...headers } }
  const answer = await fetch(url, { method: 'POST', headers: modern.headers, body: modern.body })
  if (!answerProblem(modern, answer.status, await answer.text())) return modern
  const inSession = legacyCall(tool, await openSession(url, headers))
  return { ...base, ...inSession, headers: { ...inSession.headers, ...headers } }
}
