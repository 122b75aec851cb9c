import { canonicalJson, fnv1a, type Principal } from '../core/index.ts'
import { BUILT_IN_SCOPES } from './roles.ts'
import {
  type AccessScope,
  type Grant,
  isEverything,
  Permission,
  type PolicyDocument,
} from './scopes.ts'

/** Names, or everything. */
export type Names = 'all' | ReadonlySet<string>

/** What the grants of one server come to. */
export interface ServerGrants {
  readonly methods: Names
  /** Tools that `tools/list` shows. */
  readonly listed: Names
  /** Tools that `tools/call` accepts. */
  readonly callable: Names
}

export interface PermissionReach {
  readonly all: boolean
  readonly own: boolean
  readonly paths: ReadonlySet<string>
}

/** What a set of access scopes comes to, compiled so that a decision costs a few look-ups. */
export interface Rights {
  /**
   * Equal for principals with the same scopes of the same content. It says nothing of tenant,
   * ownership, visibility or OAuth scopes: a cache key needs those besides it.
   */
  readonly digest: string
  /** Names of the access scopes, sorted. */
  readonly scopes: readonly string[]
  readonly permissions: ReadonlyMap<Permission, PermissionReach>
  /** Holds `manage_policy` on everything. */
  readonly isAdmin: boolean
  /** Undefined when no grant reaches the server. */
  grantsOf(server: string): ServerGrants | undefined
}

/** Distinct sets of scopes remembered per document; a tenant has few. */
const MAX_COMPILED = 1000

// A document never changes, so what it compiles to may hang on it.
const compiledByDocument = new WeakMap<PolicyDocument, Map<string, Rights>>()

/** What the principal may do by its groups. Names that the document does not define give nothing. */
export function rightsOf(
  principal: Principal,
  document: PolicyDocument,
  options: { readonly bootstrap: boolean },
): Rights {
  const names = new Set<string>(options.bootstrap ? ['admin'] : [])
  for (const group of principal.groups) {
    // hasOwn: a group named `constructor` is a group, not a property of Object.
    if (!Object.hasOwn(document.groupMappings, group)) continue
    for (const scope of document.groupMappings[group] ?? []) names.add(scope)
  }
  const sorted = [...names].filter((name) => scopeNamed(document, name) !== undefined).sort()
  const known = compiledByDocument.get(document) ?? new Map<string, Rights>()
  compiledByDocument.set(document, known)
  const key = JSON.stringify(sorted)
  const before = known.get(key)
  if (before !== undefined) return before
  const compiled = compile(sorted, document)
  if (known.size >= MAX_COMPILED) known.clear()
  known.set(key, compiled)
  return compiled
}

/** A scope of the document; the built-in ones cannot be shadowed. */
export function scopeNamed(document: PolicyDocument, name: string): AccessScope | undefined {
  const builtIn: Readonly<Record<string, AccessScope>> = BUILT_IN_SCOPES
  if (Object.hasOwn(builtIn, name)) return builtIn[name]
  return Object.hasOwn(document.scopes, name) ? document.scopes[name] : undefined
}

function compile(names: readonly string[], document: PolicyDocument): Rights {
  const scopes = names.flatMap((name) => scopeNamed(document, name) ?? [])
  const grants = scopes.flatMap((scope) => scope.grants)
  const permissions = compilePermissions(scopes)
  const wide = grants.filter((grant) => isEverything(grant.server))
  const everywhere = wide.length === 0 ? undefined : mergeGrants(wide)
  const byServer = new Map<string, ServerGrants>()
  for (const server of new Set(grants.map((grant) => grant.server))) {
    const reaching = grants.filter((grant) => grant.server === server)
    byServer.set(server, mergeGrants([...wide, ...reaching]))
  }
  return {
    digest: `${fnv1a(canonicalJson(scopes)).toString(16)}:${names.join(',')}`,
    scopes: names,
    permissions,
    isAdmin: permissions.get('manage_policy')?.all === true,
    grantsOf: (server) => byServer.get(server) ?? everywhere,
  }
}

function compilePermissions(scopes: readonly AccessScope[]): Map<Permission, PermissionReach> {
  const reaches = new Map<Permission, PermissionReach>()
  for (const permission of Permission.options) {
    const values = scopes.flatMap((scope) => scope.permissions[permission] ?? [])
    if (values.length === 0) continue
    reaches.set(permission, {
      all: values.some(isEverything),
      own: values.includes('own'),
      // A server named `own` or `all` is reached by no path of its name: the words come first.
      paths: new Set(values.filter((value) => value !== 'own' && !isEverything(value))),
    })
  }
  return reaches
}

function mergeGrants(grants: readonly Grant[]): ServerGrants {
  const naming = (method: string): Grant[] =>
    grants.filter((grant) => hasName(namesOf(grant.methods), method))
  return {
    methods: namesOf(grants.flatMap((grant) => grant.methods)),
    // Listing is granted by the method alone; calling needs the tool named in the same entry.
    listed: namesOf(naming('tools/list').flatMap((grant) => grant.tools ?? ['*'])),
    callable: namesOf(naming('tools/call').flatMap((grant) => grant.tools ?? [])),
  }
}

function namesOf(names: readonly string[]): Names {
  return names.some(isEverything) ? 'all' : new Set(names)
}

/** Exact comparison: no case folding, no Unicode normalisation. */
export function hasName(names: Names, name: string): boolean {
  return names === 'all' || names.has(name)
}
