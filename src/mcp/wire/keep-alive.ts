/** Well below the minute or so after which proxies drop a silent connection. */
export const KEEP_ALIVE_MS = 25_000

/** A comment, which clients skip. Fits between events alone. */
export const KEEP_ALIVE = new TextEncoder().encode(': keep-alive\n\n')
