import { type Cell, ofMethod } from '../cell.ts'
import { same, until } from '../wire/expect.ts'
import { checkWatchingStream, heard, noticesOf, untilQuiet, untilUnwatched } from './watching.ts'

const METHOD = 'notifications/tools/list_changed'

/** Every change is told once, to who listens; and whoever asks then sees it. */
export async function listChanged(cell: Cell): Promise<void> {
  const { client, upstream } = cell
  const watch = await client.watch([])
  await until('somebody who listens at the upstream', () => upstream.isWatched())
  await untilQuiet(cell)
  const before = noticesOf(cell, METHOD).length
  for (const count of [before + 1, before + 2]) {
    const name = upstream.changeTools()
    await until(`notice ${count} at the client`, () => noticesOf(cell, METHOD).length >= count)
    const names = (await client.tools()).map((tool) => tool['name'])
    same('the tool that is new', names.includes(cell.toolName(name)), true)
    same('notices on the wire', noticesOf(cell, METHOD).length, count)
  }
  checkWatchingStream(cell, METHOD)
  same('notices that the client heard', heard(cell, METHOD), before + 2)
  if (cell.clientEra === 'legacy') {
    same(
      'listening by a legacy client',
      ofMethod(client.wire.exchanges, 'subscriptions/listen'),
      [],
    )
  }
  await watch.stop()
  await client.close()
  await untilUnwatched(cell, upstream.changeTools)
}
