import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { canonicalJson } from '../../src/core/index.ts'
import { parsePolicySeed } from '../../src/policy/index.ts'
import { type Api, ApiError } from '../cli/api.ts'
import { ROOT } from './state.ts'

/** A sample upstream as it is registered. */
export interface SampleServer {
  readonly path: string
  readonly name: string
  readonly description: string
  readonly tags: readonly string[]
  readonly url: string
}

/** What the three samples are called; where they listen is known once they run. */
export const SAMPLE_SERVERS: readonly Omit<SampleServer, 'url'>[] = [
  {
    path: 'currenttime',
    name: 'Current time',
    description: 'The time in any IANA zone, and conversion between zones.',
    tags: ['sample', 'time'],
  },
  {
    path: 'fininfo',
    name: 'Finance sample',
    description: 'Stock aggregates from invented SAMPLE DATA.',
    tags: ['sample', 'finance'],
  },
  {
    path: 'everything',
    name: 'Everything',
    description: 'The reference server that exercises every feature of MCP.',
    tags: ['sample', 'reference'],
  },
]

/**
 * Puts the sample policy in force where there is none yet. A policy of the gateway's own stays: also
 * one that keeps the local administrator from reading it.
 */
export async function applySamplePolicy(api: Api): Promise<'sample' | 'own'> {
  const sample: unknown = JSON.parse(
    await readFile(join(ROOT, 'scripts/samples/policy.json'), 'utf8'),
  )
  const present = await unlessForbidden(api.request('GET', POLICY_PATH))
  if (present === 'forbidden') return 'own'
  const found = comparable(present)
  if (found === comparable(sample)) return 'sample'
  if (found !== comparable({})) return 'own'
  await api.request('PUT', POLICY_PATH, sample)
  return 'sample'
}

const POLICY_PATH = '/api/v1/policy'

async function unlessForbidden(answer: Promise<unknown>): Promise<unknown> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof ApiError && error.status === 403) return 'forbidden'
    throw error
  }
}

/** Equal for policies that say the same: the order in which a group's scopes stand says nothing. */
function comparable(seed: unknown): string {
  const { scopes, groupMappings } = parsePolicySeed(seed)
  const groups = Object.entries(groupMappings).map(([name, of]) => [name, of.toSorted()])
  return canonicalJson({ scopes, groups: Object.fromEntries(groups) })
}

/** Registers a sample; one that an earlier start registered gets its new address. */
export async function registerSample(api: Api, server: SampleServer): Promise<void> {
  const { url, ...described } = server
  const endpoints = [{ url }]
  try {
    await api.request('POST', '/api/v1/servers', { ...described, endpoints })
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 409)) throw error
    await api.request('PATCH', `/api/v1/servers/${server.path}`, { endpoints, enabled: true })
  }
}
