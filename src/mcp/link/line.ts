import type { Clock, Outbound, Random } from '../../core/index.ts'
import type { Connection, ConnectionTarget, SendOptions, Sent } from './connection.ts'
import type { ConnectionKind } from './connections.ts'
import { createExchange, type Exchange } from './exchange.ts'
import type { Sink } from './outlet.ts'
import type { Hearers } from './route.ts'

/** A connection, and what travels over it. */
export interface Line {
  readonly exchange: Exchange
  send(text: string, how: SendOptions): Promise<Sent>
  /** Who read this has gone. */
  leave(sink: Sink): void
  /** Idempotent; requests that run fail. */
  close(): void
  isOpen(): boolean
  /** How many texts have come so far. */
  heard(): number
}

export interface LineDeps {
  readonly outbound: Pick<Outbound, 'send'>
  readonly clock: Clock
  readonly random: Pick<Random, 'uuid'>
  /** What reads a connection must not be forgotten by the object that holds it. */
  readonly waitUntil: (work: Promise<unknown>) => void
}

export interface LineOptions {
  readonly kind: ConnectionKind
  readonly target: ConnectionTarget
  readonly hearers: Hearers
  /** Called once when it is over, whoever ended it. */
  readonly onClosed: () => void
}

export type OpenedLine =
  | { readonly kind: 'open'; readonly line: Line }
  | Exclude<Sent, { readonly kind: 'sent' }>

/** Connects. What the server asks and nobody hears is answered here. */
export async function openLine(deps: LineDeps, options: LineOptions): Promise<OpenedLine> {
  const { kind, target, hearers, onClosed } = options
  const { headers, timeoutMs } = target
  const exchange = createExchange({ hearers, uuid: () => deps.random.uuid() })
  let connection: Connection | undefined
  let isOpen = true
  let heard = 0

  function answer(texts: readonly string[]): void {
    for (const text of texts) {
      if (connection) deps.waitUntil(connection.send(text, { headers, timeoutMs }))
    }
  }

  const opened = await kind.open(deps.outbound, target, (text) => {
    if (!isOpen) return
    heard += 1
    answer(exchange.hear(text, deps.clock.now()))
    if (exchange.isGarbled()) connection?.close()
  })
  if (opened.kind !== 'open') return opened
  connection = opened.connection
  const { closed, close, send } = connection
  const over = closed.then(() => {
    isOpen = false
    exchange.breakOff()
    onClosed()
  })
  deps.waitUntil(over)
  return {
    kind: 'open',
    line: {
      exchange,
      send,
      close,
      isOpen: () => isOpen,
      heard: () => heard,
      leave: (sink) => answer(exchange.leave(sink, deps.clock.now())),
    },
  }
}
