import { isDeepStrictEqual } from 'node:util'
import type { ForeignClient, ForeignSession } from './clients/foreign-client.ts'
import type { Offer } from './offers.ts'

export const VERBS = ['list', 'call', 'read', 'prompt'] as const
export type Verb = (typeof VERBS)[number]

/** What came of a verb: the expected answer, none by the client's design, or why not. */
export type Outcome = 'yes' | 'not offered' | { readonly failed: string }
/** Of those that were tried. */
export type Outcomes = Readonly<Partial<Record<Verb, Outcome>>>

/**
 * Tries every verb of an offer in one connection, all at once: so do hosts, and command lines start
 * slowly. Never throws: what fails is an outcome.
 */
export async function measure(
  client: ForeignClient,
  url: string,
  token: string,
  offer: Offer,
): Promise<Outcomes> {
  const tried = VERBS.filter((verb) => verb === 'list' || offer[verb] !== undefined)
  let session: ForeignSession
  try {
    session = await client.connect(url, token)
  } catch (error) {
    const failed = `connecting: ${reasonOf(error)}`
    return Object.fromEntries(tried.map((verb) => [verb, { failed }]))
  }
  const outcomes = tried.map(async (verb): Promise<[Verb, Outcome]> => {
    const isOffered = verb === 'list' || verb === 'call' || !client.notOffered?.[verb]
    return [verb, isOffered ? await outcomeOf(tries[verb](session, offer)) : 'not offered']
  })
  const settled = await Promise.all(outcomes)
  await session.close().catch(() => undefined)
  return Object.fromEntries(settled)
}

/** Each resolves with what was wrong with the answer, if anything was. */
const tries: Readonly<
  Record<Verb, (session: ForeignSession, offer: Offer) => Promise<string | undefined>>
> = {
  async list(session, { tools }) {
    const found = await session.list()
    return isDeepStrictEqual(found, tools) ? undefined : `found ${JSON.stringify(found)}`
  },
  call: async (session, { call: [tool, args, says] }) =>
    unlessSaid(await session.call(tool, args), says),
  read: async (session, { read }) => read && unlessSaid(await session.read(read[0]), read[1]),
  prompt: async (session, { prompt }) =>
    prompt && unlessSaid(await session.prompt(prompt[0], prompt[1]), prompt[2]),
}

async function outcomeOf(trying: Promise<string | undefined>): Promise<Outcome> {
  try {
    const failed = await trying
    return failed === undefined ? 'yes' : { failed }
  } catch (error) {
    return { failed: reasonOf(error) }
  }
}

function unlessSaid(text: string, says: RegExp): string | undefined {
  return says.test(text) ? undefined : `said ${JSON.stringify(text)}`
}

const MAX_REASON = 200

/** One line of what a client said, with what is different every time made equal. */
function reasonOf(error: unknown): string {
  return String(error)
    .replace(/\s+/g, ' ')
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '{uuid}')
    .replace(/127\.0\.0\.1:\d+/g, '{host}')
    .slice(0, MAX_REASON)
}
