import type { UpstreamFacts } from '../../registry/index.ts'

/**
 * Whether a message of this era has to change eras to reach a server: it speaks only the other one.
 * Where both speak one era it is mirrored, and a server that was never reached may speak any
 * (DESIGN.md, Decision 1).
 */
export function crosses({ eras }: Pick<UpstreamFacts, 'eras'>, era: 'modern' | 'legacy'): boolean {
  return eras !== era && (eras === 'modern' || eras === 'legacy')
}
