import { DurableObject } from 'cloudflare:workers'
import { z } from 'zod'
import { type Clock, type ServerId, TenantId } from '../../core/index.ts'
import { type Events, emitFault } from '../../observability/index.ts'
import { partitionOf } from '../partition.ts'
import { createInterests, type Interests } from './interests.ts'
import {
  both,
  digestOf,
  type EventsState,
  NOTHING,
  type Notice,
  type ServerWant,
  type Wanted,
  type WatchStub,
} from './notice.ts'
import { MAX_STREAMS_OF_PRINCIPAL, MAX_STREAMS_OF_TENANT, PING, PONG } from './socket.ts'

/** Wants are written under it; another version is forgotten, and its streams open again. */
const PREFIX = 'want:v1:'
const TENANT_KEY = 'tenant'
/** Sockets without life are closed, and servers told again what is wanted of them. */
const RECONCILE_MS = 60_000
/** A Worker pings each 25 s: one that has not for so long is gone. */
const DEAD_MS = 90_000
/** For a server that is slow to say what it tells, which then counts as telling it. */
const TOLD_MS = 5_500

const Attachment = z.object({ subscriber: z.string(), openedAt: z.number() })

export interface EventsObjectDeps {
  readonly clock: Clock
  readonly events: Events
  readonly uuid: () => string
  /** Streams that may be open at once. Default: those of `socket.ts`. */
  readonly maxOfPrincipal?: number | undefined
  readonly maxOfTenant?: number | undefined
  /** Built when first needed. */
  watchObject(name: string): WatchStub
}

/** What a server was last told that is wanted of it, and what of that it tells. */
interface Said {
  readonly digest: string
  readonly told: Promise<Wanted>
}

/**
 * One per tenant: hands the notices of servers to the streams of clients, whatever isolate holds
 * them. Each stream is a hibernating socket; what it wants is in storage. Counts what is wanted of
 * each server and tells its `WatchObject` (DESIGN.md, Decision 3).
 */
export function createEventsObject(deps: EventsObjectDeps) {
  return class extends DurableObject implements EventsState {
    #known: Interests | undefined
    readonly #said = new Map<ServerId, Said>()

    override async fetch(request: Request): Promise<Response> {
      const { url, headers } = request
      const subscriber = new URL(url).pathname.slice(1)
      const principal = `p:${headers.get('x-principal') ?? ''}`
      const { maxOfPrincipal = MAX_STREAMS_OF_PRINCIPAL, maxOfTenant = MAX_STREAMS_OF_TENANT } =
        deps
      const isOver =
        this.ctx.getWebSockets(principal).length >= maxOfPrincipal ||
        this.ctx.getWebSockets().length >= maxOfTenant
      if (isOver) return new Response(null, { status: 429 })
      // Answered without waking the object.
      this.ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(PING, PONG))
      const { 0: client, 1: server } = new WebSocketPair()
      this.ctx.acceptWebSocket(server, [subscriber, principal])
      server.serializeAttachment({ subscriber, openedAt: deps.clock.now() })
      await this.#wakeLater()
      return new Response(null, { status: 101, webSocket: client })
    }

    async want(
      tenant: TenantId,
      subscriber: string,
      wants: readonly ServerWant[],
    ): Promise<readonly ServerWant[]> {
      const interests = this.#interests()
      if (this.ctx.getWebSockets(subscriber).length === 0) return []
      this.ctx.storage.kv.put(TENANT_KEY, tenant)
      const concerned = interests.set(subscriber, wants, this.#ownerOf(subscriber))
      const own = interests.of(subscriber)
      this.ctx.storage.kv.put(PREFIX + subscriber, own)
      for (const server of concerned) this.#say(server)
      return Promise.all(
        own.map(async (want) => ({ ...want, ...both(want, await this.#toldOf(want)) })),
      )
    }

    async tell(notice: Notice): Promise<void> {
      const text = JSON.stringify(notice)
      for (const subscriber of this.#interests().hearers(notice.server, notice.change)) {
        for (const socket of this.ctx.getWebSockets(subscriber)) socket.send(text)
      }
    }

    override async webSocketClose(socket: WebSocket): Promise<void> {
      this.#forget(socket)
      socket.close()
    }

    override async webSocketError(socket: WebSocket): Promise<void> {
      this.#forget(socket)
    }

    /** A goodbye may have been missed on either side. */
    override async alarm(): Promise<void> {
      const now = deps.clock.now()
      for (const socket of this.ctx.getWebSockets()) {
        const seen = this.ctx.getWebSocketAutoResponseTimestamp(socket)?.getTime()
        const opened = Attachment.safeParse(socket.deserializeAttachment()).data?.openedAt ?? 0
        if (now - Math.max(seen ?? 0, opened) <= DEAD_MS) continue
        this.#forget(socket)
        socket.close(1001, 'silent')
      }
      const interests = this.#interests()
      for (const subscriber of interests.subscribers()) {
        if (this.ctx.getWebSockets(subscriber).length === 0) this.#remove(subscriber)
      }
      for (const server of interests.servers()) this.#say(server, true)
      if (this.ctx.getWebSockets().length === 0) return this.ctx.storage.deleteAll()
      await this.ctx.storage.setAlarm(now + RECONCILE_MS)
    }

    async #wakeLater(): Promise<void> {
      if ((await this.ctx.storage.getAlarm()) !== null) return
      await this.ctx.storage.setAlarm(deps.clock.now() + RECONCILE_MS)
    }

    #forget(socket: WebSocket): void {
      const { data } = Attachment.safeParse(socket.deserializeAttachment())
      if (data) this.#remove(data.subscriber)
    }

    #remove(subscriber: string): void {
      const concerned = this.#interests().set(subscriber, [])
      this.ctx.storage.kv.delete(PREFIX + subscriber)
      for (const server of concerned) this.#say(server)
    }

    /** Whose stream it is, by the tag of its socket. */
    #ownerOf(subscriber: string): string {
      const [socket] = this.ctx.getWebSockets(subscriber)
      return (socket && this.ctx.getTags(socket)[1]) ?? subscriber
    }

    /** From storage after the object slept. */
    #interests(): Interests {
      if (this.#known) return this.#known
      const interests = createInterests()
      for (const [key, wants] of this.ctx.storage.kv.list<readonly ServerWant[]>({
        prefix: PREFIX,
      })) {
        const subscriber = key.slice(PREFIX.length)
        interests.set(subscriber, wants, this.#ownerOf(subscriber))
      }
      this.#known = interests
      return interests
    }

    /** Tells the server's object what is wanted, when that is news or due. */
    #say(server: ServerId, isDue = false): void {
      const union = this.#interests().union(server)
      const wanted = union ?? NOTHING
      const digest = digestOf(wanted)
      const said = this.#said.get(server)
      if (!isDue && said?.digest === digest) return
      // One after the other, so that what was said last is what holds.
      const told = this.#tellWatch(server, union, said?.told)
      const mine: Said = { digest, told }
      this.#said.set(server, mine)
      const forget = (): void => {
        if (!union && this.#said.get(server) === mine) this.#said.delete(server)
      }
      this.ctx.waitUntil(told.then(forget))
    }

    /** Never rejects. */
    async #tellWatch(
      serverId: ServerId,
      union: ServerWant | undefined,
      before: Promise<Wanted> | undefined,
    ): Promise<Wanted> {
      await before
      const object = deps.watchObject(partitionOf(serverId))
      const { data: tenant } = TenantId.safeParse(this.ctx.storage.kv.get(TENANT_KEY))
      const wanted = union ? both(union, union) : NOTHING
      try {
        if (union && tenant)
          return await object.want({ tenant, path: union.path, serverId }, wanted)
        await object.leave()
        return NOTHING
      } catch (thrown) {
        // Said again within a minute.
        emitFault(deps.events, { requestId: deps.uuid() }, 'events', thrown)
        return wanted
      }
    }

    async #toldOf(want: ServerWant): Promise<Wanted> {
      const said = this.#said.get(want.server)
      if (!said) return NOTHING
      let timer: ReturnType<typeof setTimeout> | undefined
      const late = new Promise<Wanted>((resolve) => {
        timer = setTimeout(() => resolve(want), TOLD_MS)
      })
      try {
        return await Promise.race([said.told, late])
      } finally {
        clearTimeout(timer)
      }
    }
  }
}
