import type { VirtualServerRecord } from '../../registry/index.ts'

/** An MCP endpoint at which several servers meet (`/{path}/mcp`, and `/mcp` itself). */
export type SharedEndpoint =
  /** `/mcp`: everything its caller may use. */
  | { readonly kind: 'all'; readonly path: 'mcp' }
  /** `/mcpgw/mcp`: the gateway's own tools alone. */
  | { readonly kind: 'own'; readonly path: 'mcpgw' }
  /** A server made of chosen things of others. */
  | {
      readonly kind: 'virtual'
      readonly path: string
      readonly virtual: VirtualServerRecord
    }

/** `/mcp`. */
export const EVERYTHING: SharedEndpoint = { kind: 'all', path: 'mcp' }
/** `/mcpgw/mcp`. */
export const OWN: SharedEndpoint = { kind: 'own', path: 'mcpgw' }
