import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
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

/** Puts the sample policy in force. Repeating it changes nothing. */
export async function applySamplePolicy(api: Api): Promise<void> {
  const text = await readFile(join(ROOT, 'scripts/samples/policy.json'), 'utf8')
  await api.request('PUT', '/api/v1/policy', JSON.parse(text))
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
