import { z } from 'zod'
import { GatewayError, isPlainObject } from '../core/index.ts'
import { BUILT_IN_SCOPES, isBuiltInScope } from './roles.ts'
import {
  type AccessScope,
  type Grant,
  GrantList,
  PermissionMap,
  type PolicyDocument,
  PolicyName,
} from './scopes.ts'

const UI_SCOPES = 'UI-Scopes'
const GROUP_MAPPINGS = 'group_mappings'

/**
 * The layout of S-B's scopes.yml as a JSON value: permissions under `UI-Scopes`, groups under
 * `group_mappings`, and every other key an access scope: a list of {server, methods, tools?}.
 */
export const PolicySeed = z
  .object({
    [UI_SCOPES]: z.record(PolicyName, PermissionMap).exactOptional(),
    [GROUP_MAPPINGS]: z
      .record(PolicyName, z.array(PolicyName).max(1000).readonly())
      .exactOptional(),
  })
  .catchall(GrantList)
export type PolicySeed = z.infer<typeof PolicySeed>

/** One thing wrong with a seed: where, and what. */
export interface SeedProblem {
  /** Keys and indexes joined by `.`; empty for the document itself. */
  readonly path: string
  readonly message: string
}

/**
 * The policy a seed describes, built-in scopes added. Throws `invalid_params` with every problem
 * in `detail.data.problems`.
 */
export function parsePolicySeed(input: unknown): PolicyDocument {
  const parsed = PolicySeed.safeParse(input)
  const problems = [...shapeProblems(parsed.error), ...nameProblems(input)]
  if (!parsed.success || problems.length > 0) {
    const first = problems[0]
    throw new GatewayError(
      'invalid_params',
      `The policy has ${problems.length} problem(s); first: ${first?.path} ${first?.message}.`,
      { data: { problems } },
    )
  }
  return toDocument(parsed.data)
}

function toDocument(seed: PolicySeed): PolicyDocument {
  const permissions = seed[UI_SCOPES] ?? {}
  const names = new Set([...Object.keys(permissions), ...grantScopes(seed)])
  const scopes = [...names].map((name): [string, AccessScope] => [
    name,
    { permissions: own(permissions, name) ?? {}, grants: grantsNamed(seed, name) },
  ])
  return {
    scopes: { ...Object.fromEntries(scopes), ...BUILT_IN_SCOPES },
    groupMappings: { ...seed[GROUP_MAPPINGS] },
  }
}

function grantsNamed(seed: PolicySeed, name: string): readonly Grant[] {
  const grants = own(seed, name)
  return Array.isArray(grants) ? grants : []
}

function own<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined
}

function grantScopes(seed: Readonly<Record<string, unknown>>): string[] {
  return Object.keys(seed).filter((key) => key !== UI_SCOPES && key !== GROUP_MAPPINGS)
}

function shapeProblems(error: z.ZodError | undefined): SeedProblem[] {
  return (error?.issues ?? []).flatMap((issue) => {
    const path = issue.path.map(String)
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({ path: [...path, key].join('.'), message: 'is not known' }))
    }
    // zod says only "Invalid key in record"; the reasons lie one level deeper.
    const reasons = issue.code === 'invalid_key' ? issue.issues : [issue]
    return [{ path: path.join('.'), message: reasons.map(({ message }) => message).join('; ') }]
  })
}

/** What only shows across entries. Reads raw input, so that one wrong type hides nothing else. */
function nameProblems(input: unknown): SeedProblem[] {
  if (!isPlainObject(input)) return []
  const ui = isPlainObject(input[UI_SCOPES]) ? Object.keys(input[UI_SCOPES]) : []
  const grants = grantScopes(input)
  const redefined = [
    ...ui.filter(isBuiltInScope).map((name) => `${UI_SCOPES}.${name}`),
    ...grants.filter(isBuiltInScope),
  ].map((path) => ({ path, message: 'is a built-in scope and cannot be redefined' }))
  const badNames = grants.flatMap((name) => {
    const checked = PolicyName.safeParse(name)
    return checked.success ? [] : shapeProblems(checked.error).map((p) => ({ ...p, path: name }))
  })
  const defined = new Set([...ui, ...grants, ...Object.keys(BUILT_IN_SCOPES)])
  return [...badNames, ...redefined, ...danglingMappings(input[GROUP_MAPPINGS], defined)]
}

function danglingMappings(mappings: unknown, defined: ReadonlySet<string>): SeedProblem[] {
  if (!isPlainObject(mappings)) return []
  return Object.entries(mappings).flatMap(([group, scopes]) =>
    (Array.isArray(scopes) ? scopes : []).flatMap((scope: unknown, index) =>
      typeof scope !== 'string' || defined.has(scope)
        ? []
        : [
            {
              path: `${GROUP_MAPPINGS}.${group}.${index}`,
              message: `names the undefined scope ${JSON.stringify(scope)}`,
            },
          ],
    ),
  )
}
