import { z } from 'zod'

/** What a principal may do on the management API. The agent ones are kept from S-B's layout. */
export const PERMISSIONS = [
  'list_service',
  'register_service',
  'modify_service',
  'toggle_service',
  'delete_service',
  'health_check_service',
  'manage_policy',
  'list_agents',
  'get_agent',
  'publish_agent',
  'modify_agent',
  'delete_agent',
] as const

export const Permission = z.enum(PERMISSIONS)
export type Permission = z.infer<typeof Permission>

/** A name of a scope, group, server, method or tool: 1 to 128 characters, compared exactly. */
export const PolicyName = z
  .string()
  .min(1)
  .max(128)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it refuses
  .regex(/^[^\u0000-\u001f\u007f]*$/, 'must not hold control characters')
  .refine((name) => name.trim() === name, 'must not start or end with white space')
  // A plain object cannot hold this key like any other.
  .refine((name) => name !== '__proto__', 'is not a usable name')

const names = z.array(PolicyName).max(1000).readonly()

/**
 * Access to servers: server x methods x tools. `*` and `all` mean everything. Without `tools` the
 * entry lists every tool and calls none.
 */
export const Grant = z.strictObject({
  server: PolicyName,
  methods: z.array(PolicyName).min(1).max(1000).readonly(),
  tools: names.exactOptional(),
})
export type Grant = z.infer<typeof Grant>

/** Each permission with `all`, `own` (servers the principal owns) or the paths it holds for. */
export const PermissionMap = z.partialRecord(Permission, names)
export type PermissionMap = z.infer<typeof PermissionMap>

export const GrantList = z.array(Grant).max(1000).readonly()

/** A named bundle of permissions and grants that user groups are mapped to. */
export interface AccessScope {
  readonly permissions: PermissionMap
  readonly grants: readonly Grant[]
}

/** The whole policy of one tenant, built-in scopes included. */
export interface PolicyDocument {
  readonly scopes: Readonly<Record<string, AccessScope>>
  /** User group to names of access scopes. */
  readonly groupMappings: Readonly<Record<string, readonly string[]>>
}

/** `*` and `all` are the same word. */
export function isEverything(name: string): boolean {
  return name === '*' || name === 'all'
}
