import { SUBSCRIPTION_ID_META_KEY } from '@modelcontextprotocol/server'
import { LIST_CHANGED } from '../list-changes.ts'
import { editObject, within } from '../wire/edit-members.ts'
import type { RawId } from '../wire/reply.ts'
import type { Shown } from './feed.ts'
import { filterOf } from './filter.ts'
import { RESOURCE_UPDATED, TASK_CHANGED, type Wanted } from './notice.ts'

/** An event that carries one message. */
const event = (message: string): string => `event: message\ndata: ${message}\n\n`

/**
 * A change as an event. `subscription` is the id of the listen request as its client wrote it; a
 * legacy client has none.
 */
export function changeEvent(change: Shown, subscription?: RawId): string {
  if (change.kind === 'task') return taskEvent(change.params, subscription)
  const method = change.kind === 'list' ? LIST_CHANGED[change.list] : RESOURCE_UPDATED
  const members = [
    ...(change.kind === 'resource' ? [`"uri":${JSON.stringify(change.uri)}`] : []),
    ...(subscription === undefined ? [] : [metaOf(subscription)]),
  ]
  const params = members.length > 0 ? `,"params":{${members.join()}}` : ''
  return event(`{"jsonrpc":"2.0","method":${JSON.stringify(method)}${params}}`)
}

/** The server's own subscription is none of its client's. */
function taskEvent(task: string, subscription: RawId | undefined): string {
  const params = editObject(task, {
    _meta: within({ [SUBSCRIPTION_ID_META_KEY]: () => subscription }),
  })
  return event(`{"jsonrpc":"2.0","method":"${TASK_CHANGED}","params":${params}}`)
}

/** The first event of a listen stream: what of it is honoured. */
export function acknowledgeEvent(honoured: Wanted, subscription: RawId): string {
  const params = `"notifications":${JSON.stringify(filterOf(honoured))},${metaOf(subscription)}`
  return event(
    `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{${params}}}`,
  )
}

/** The last event of a listen stream that its server ends. */
export function endEvent(subscription: RawId): string {
  const result = `{"resultType":"complete",${metaOf(subscription)}}`
  return event(`{"jsonrpc":"2.0","id":${subscription},"result":${result}}`)
}

function metaOf(subscription: RawId): string {
  return `"_meta":{${JSON.stringify(SUBSCRIPTION_ID_META_KEY)}:${subscription}}`
}
