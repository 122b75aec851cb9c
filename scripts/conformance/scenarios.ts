import { readFile } from 'node:fs/promises'
import { parse } from 'yaml'
import { z } from 'zod'
import { interopPath } from '../../test/e2e/interop.ts'

/** Revisions whose requirements the gateway must meet. */
export const REVISIONS = ['2025-11-25', '2026-07-28'] as const
export type Revision = (typeof REVISIONS)[number]

/** How many server scenarios there must be: fewer would pass unnoticed. */
const SERVER_SCENARIOS: Readonly<Record<Revision, number>> = { '2025-11-25': 33, '2026-07-28': 40 }

/**
 * Scenarios for clients that concern what the gateway sends upstream. The rest of that leg is about
 * getting a token, which is the client's business and not the gateway's.
 */
export const CLIENT_SCENARIOS: Readonly<Record<Revision, readonly string[]>> = {
  '2025-11-25': [
    'initialize',
    'tools_call',
    'elicitation-sep1034-client-defaults',
    'sse-retry',
    'json-schema-2020-12-preservation',
  ],
  '2026-07-28': [
    'tools_call',
    'request-metadata',
    'http-standard-headers',
    'http-custom-headers',
    'http-invalid-tool-headers',
    'sep-2322-client-request-state',
    'json-schema-ref-no-deref',
    'json-schema-2020-12-preservation',
  ],
}

const Requirements = z.object({
  server: z.array(z.string()),
  not_scored: z.array(z.object({ scenario: z.string(), leg: z.string(), reason: z.string() })),
})

/**
 * What the suite asks of a server at a revision: all that the revision requires, and what was added
 * to the suite later. Extensions are left out: neither the fixture nor the gateway has them.
 */
export async function serverScenarios(revision: Revision): Promise<string[]> {
  const file = interopPath('@modelcontextprotocol/conformance', `requirements/${revision}.yaml`)
  const { server, not_scored } = Requirements.parse(parse(await readFile(file, 'utf8')))
  const later = not_scored.filter(({ leg, reason }) => leg === 'server' && reason !== 'extension')
  const names = [...server, ...later.map(({ scenario }) => scenario)]
  const expected = SERVER_SCENARIOS[revision]
  if (names.length !== expected) {
    throw new Error(`${revision} has ${names.length} server scenarios, not ${expected}`)
  }
  return names
}
