import { BUILT_IN_SCOPES, type PolicyDocument, PolicySeed } from '../policy/index.ts'

/** The policy in the layout that PUT takes, so that what was read can be sent back. */
export function policySeedOf(document: PolicyDocument): PolicySeed {
  const scopes = Object.entries(document.scopes).filter(
    ([name]) => !Object.hasOwn(BUILT_IN_SCOPES, name),
  )
  return PolicySeed.parse({
    ...Object.fromEntries(scopes.map(([name, scope]) => [name, scope.grants])),
    'UI-Scopes': Object.fromEntries(
      scopes
        .filter(([, scope]) => Object.keys(scope.permissions).length > 0)
        .map(([name, scope]) => [name, scope.permissions]),
    ),
    group_mappings: document.groupMappings,
  })
}
