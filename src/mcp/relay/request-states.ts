import { z } from 'zod'
import {
  type Clock,
  canonicalJson,
  GatewayError,
  MAX_SEALED_CHARS,
  type Principal,
  type Sealer,
  sha256Hex,
} from '../../core/index.ts'
import type { InboundRequest } from '../eras.ts'

/** What a state belongs to: only the same request of the same principal brings it back. */
export interface StateOf {
  readonly principal: Principal
  /** Of the endpoint and the server behind it. */
  readonly target: readonly string[]
  readonly inbound: Pick<InboundRequest, 'method' | 'name' | 'params'>
}

/**
 * States of multi round-trip requests: the client holds the upstream's own sealed, and the upstream
 * gets it back byte by byte (MCP 2026-07-28, Multi Round-Trip Requests; DESIGN.md, Decision 5).
 */
export interface RequestStates {
  seal(of: StateOf, state: string): Promise<string>
  /**
   * Spends it: it opens once. Throws `invalid_params`, in the same words whatever is wrong with it,
   * and what asking whether it was spent throws.
   */
  open(of: StateOf, sealed: unknown): Promise<string>
}

/** A person may have to answer in between. */
const STATE_TTL_MS = 60 * 60 * 1000

const Sealed = z.object({ state: z.string() })

/** @see RequestStates */
export function createRequestStates(deps: {
  readonly sealer: Sealer
  readonly clock: Clock
  /** Whether this is the first time that the key is given, for all isolates. */
  readonly spend: (key: string, expiresAt: number) => Promise<boolean>
}): RequestStates {
  return {
    async seal(of, state) {
      const expiresAt = deps.clock.now() + STATE_TTL_MS
      const sealed = await deps.sealer.seal(
        'request-state',
        await bindingOf(of),
        { state },
        expiresAt,
      )
      // What could not be opened again must not be given out.
      if (sealed.length <= MAX_SEALED_CHARS) return sealed
      throw new GatewayError('upstream_failed', 'The server sent a requestState that is too large.')
    },

    async open(of, sealed) {
      const text = typeof sealed === 'string' ? sealed : ''
      const opened = Sealed.safeParse(
        await deps.sealer.open('request-state', await bindingOf(of), text),
      )
      // No two seals are the same, so its digest is a name of its own (ATTACKS: replay).
      const isFirst =
        opened.success && (await deps.spend(await sha256Hex(text), deps.clock.now() + STATE_TTL_MS))
      if (isFirst) return opened.data.state
      throw invalidState()
    },
  }
}

/** The same, whatever is wrong with a state. */
export function invalidState(): GatewayError {
  return new GatewayError('invalid_params', 'The requestState is not valid for this request.', {
    fix: 'It may have been used before, and the request have taken effect: check before you send it anew without it.',
  })
}

async function bindingOf({ principal, target, inbound }: StateOf): Promise<string[]> {
  const { method, name = '', params } = inbound
  const digest = await sha256Hex(canonicalJson([method, name, params['arguments'] ?? null]))
  return [principal.tenant, principal.key, ...target, digest]
}
