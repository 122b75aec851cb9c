import { isLogLevel, leastSevere } from '../log-levels.ts'
import { editObject, set, within } from '../wire/edit-members.ts'
import { accepted, resultAnswer } from './link-answers.ts'
import type { Message } from './message.ts'

/** What a client's message becomes: something to send, or an answer at once. */
export type Talk =
  | { readonly kind: 'send'; readonly text: string }
  | { readonly kind: 'answered'; readonly response: Response }

/** What one client on a shared connection asked to hear of. */
export interface Wishes {
  level: string | undefined
  readonly uris: Set<string>
}

/** Of one client; more are refused by nobody and heard by nobody. */
const MAX_URIS = 500

/**
 * What clients that share a connection say of the connection as a whole: the server has one log
 * level and one set of subscriptions for all of them.
 */
export function talkShared(
  own: Wishes,
  all: Iterable<Wishes>,
  text: string,
  message: Message,
): Talk {
  const others = [...all].filter((one) => one !== own)
  if (message.kind === 'notification') {
    // The gateway has said hello already.
    const isHello = message.method === 'notifications/initialized'
    return isHello ? { kind: 'answered', response: accepted() } : { kind: 'send', text }
  }
  if (message.kind !== 'request') return { kind: 'send', text }
  const { method, id } = message
  const { level, uri } = message.params
  if (method === 'logging/setLevel' && level !== undefined) {
    own.level = level
    const heard = mostTalkative([own, ...others]) ?? level
    return { kind: 'send', text: editObject(text, { params: within({ level: set(heard) }) }) }
  }
  if (method === 'resources/subscribe' && uri !== undefined && own.uris.size < MAX_URIS) {
    own.uris.add(uri)
  }
  if (method === 'resources/unsubscribe' && uri !== undefined) {
    own.uris.delete(uri)
    if (others.some(({ uris }) => uris.has(uri))) {
      return { kind: 'answered', response: resultAnswer(id, '{}') }
    }
  }
  return { kind: 'send', text }
}

/** The requests, without ids, that bring a new connection to what they all asked for. */
export function wishesOf(all: Iterable<Wishes>): { method: string; params: object }[] {
  const wishes = [...all]
  const level = mostTalkative(wishes)
  const uris = new Set(wishes.flatMap((one) => [...one.uris]))
  return [
    ...(level === undefined ? [] : [{ method: 'logging/setLevel', params: { level } }]),
    ...[...uris].map((uri) => ({ method: 'resources/subscribe', params: { uri } })),
  ]
}

/** The level that lets through what any of them wants; undefined when none was named. */
function mostTalkative(wishes: readonly Wishes[]): string | undefined {
  return leastSevere(wishes.map((one) => one.level).filter(isLogLevel))
}
