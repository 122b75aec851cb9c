import { z } from 'zod'

/** Whom grants may show a server to, besides administrators and its owner: all, its groups, nobody. */
export const Visibility = z.enum(['public', 'group', 'private'])
export type Visibility = z.infer<typeof Visibility>
