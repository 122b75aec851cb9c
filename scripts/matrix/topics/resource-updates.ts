import { type Cell, ofMethod } from '../cell.ts'
import { holds, same, until } from '../wire/expect.ts'
import { dig, digList, digObject } from '../wire/json.ts'
import { checkWatchingStream, heard, noticesOf, untilUnwatched } from './watching.ts'

const METHOD = 'notifications/resources/updated'
const WATCHED = 'matrix://watched'
const UNWATCHED = 'matrix://unwatched'
const UNKNOWN = 'matrix://unknown'

/** Who subscribed to a resource hears of it, of nothing else, and no longer than it wants to. */
export async function resourceUpdates(cell: Cell): Promise<void> {
  const { client, upstream } = cell
  const uri = cell.uri(WATCHED)
  const before = await client.read(uri)
  const watch = await client.watch([uri])
  await until('a subscription at the upstream', () => upstream.isWatched(WATCHED))
  checkAtUpstream(cell)

  for (const count of [1, 2]) {
    upstream.changeResource(UNWATCHED)
    upstream.changeResource(WATCHED)
    await until(`notice ${count} at the client`, () => noticesOf(cell, METHOD).length >= count)
    const { contents } = await client.read(uri)
    same('the text', dig(contents, 0, 'text'), upstream.stage.textOf(WATCHED))
    same('the URI of the text', dig(contents, 0, 'uri'), uri)
  }
  holds(
    'the resource never changed',
    dig(before, 'contents', 0, 'text') !== upstream.stage.textOf(WATCHED),
  )
  const told = noticesOf(cell, METHOD).map((notice) => dig(notice, 'params', 'uri'))
  same('what the client was told of', told, [uri, uri])
  same('notices that the client heard', heard(cell, METHOD), 2)
  checkWatchingStream(cell, METHOD, [uri])

  await watch.stop()
  await untilUnwatched(cell, () => upstream.changeResource(WATCHED), WATCHED)
  await until('the end of the subscription', () => !upstream.isSubscribed(WATCHED))
  await checkUnknown(cell)
}

/** How the upstream learned of it: by its own era's means. */
function checkAtUpstream({ upstream, upstreamEra }: Cell): void {
  const { exchanges } = upstream.wire
  if (upstreamEra === 'legacy') {
    const sent = ofMethod(exchanges, 'resources/subscribe').at(-1)
    same('the URI that was subscribed to', dig(sent?.sent, 'params', 'uri'), WATCHED)
    return
  }
  const listening = ofMethod(exchanges, 'subscriptions/listen').filter(
    ({ state }) => state === 'open',
  )
  const uris = listening.flatMap(({ sent }) =>
    digList(sent, 'params', 'notifications', 'resourceSubscriptions'),
  )
  same('the URIs in the subscription', uris, [WATCHED])
}

/** Each era has its code for what is not there. */
async function checkUnknown({
  client,
  clientEra,
  upstreamEra,
  place,
  ...cell
}: Cell): Promise<void> {
  const refused = await client.read(cell.uri(UNKNOWN)).then(
    (result) => ({ result }),
    () => undefined,
  )
  same('what is not there', refused, undefined)
  const exchange = ofMethod(client.wire.exchanges, 'resources/read').at(-1)
  const error = digObject(exchange?.received.at(-1), 'error')
  const mirroredLegacy = clientEra === 'legacy' && upstreamEra === 'legacy'
  const expected = mirroredLegacy && place === 'single' ? -32_002 : error['code']
  same('the code of what is not there', error['code'], expected)
  if (clientEra === 'modern') same('the code', error['code'], -32_602)
}
