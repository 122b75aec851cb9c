import { isPlainObject } from '../../core/index.ts'
import type { UpstreamFacts } from '../../registry/index.ts'
import { crosses } from '../bridge/crossing.ts'
import { offersExtension, TASKS } from '../extensions.ts'
import { ListName } from '../list-changes.ts'
import type { Wanted } from './notice.ts'

/** Whether a server says that it tells of changes of this list. */
export function tellsOf({ capabilities }: UpstreamFacts, list: ListName): boolean {
  const declared = capabilities?.[list]
  return isPlainObject(declared) && declared['listChanged'] === true
}

/** Whether a server says that its resources can be subscribed to. */
export function takesSubscriptions({ capabilities }: UpstreamFacts): boolean {
  const resources = capabilities?.['resources']
  return isPlainObject(resources) && resources['subscribe'] === true
}

/** What of this a server says that it tells. */
export function declaredBy(upstream: UpstreamFacts, { lists, uris, tasks }: Wanted): Wanted {
  const hasTasks = offersExtension(upstream, TASKS) && !crosses(upstream, 'modern')
  return {
    ...(tasks && hasTasks ? { tasks } : {}),
    lists: ListName.options.filter((list) => lists.includes(list) && tellsOf(upstream, list)),
    uris: takesSubscriptions(upstream) ? uris : [],
  }
}
