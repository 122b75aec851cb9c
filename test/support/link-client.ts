import { inject } from 'vitest'
import type { LinkControl, LinkLog } from './link-servers.ts'

/** Of the link servers. */
export const origin = () => inject('linkOrigin')

/** What happened in a room of theirs. */
export async function logOf(room: string): Promise<LinkLog> {
  return (await fetch(`${origin()}/log/${room}`)).json()
}

export const control = (room: string, wish: LinkControl) =>
  fetch(`${origin()}/control/${room}`, { method: 'POST', body: wish })
