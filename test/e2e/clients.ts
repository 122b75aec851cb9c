import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { z } from 'zod'
import { inspect } from './inspector.ts'

/** A client that nobody here wrote, as far as these suites use it. Each verb connects anew. */
export interface ForeignClient {
  /** Names of the tools. */
  list(url: string, token: string): Promise<string[]>
  /** The text of the result's first content. */
  call(url: string, token: string, tool: string, args: object): Promise<string>
}

const ListResult = z.looseObject({ tools: z.array(z.looseObject({ name: z.string() })) })
const CallResult = z.looseObject({ content: z.array(z.looseObject({ text: z.string() })) })
const InspectorFailure = z.object({ error: z.looseObject({ message: z.string() }) })
const INFO = { name: 'e2e', version: '1.0.0' }

/** The part of both SDKs' clients that is used here. */
interface Connected {
  listTools(): Promise<unknown>
  callTool(params: { name: string; arguments: Record<string, unknown> }): Promise<unknown>
  close(): Promise<void>
}

/** SDK v2 that finds out the era by itself. */
export async function connectV2(url: string, token: string): Promise<Client> {
  const client = new Client(INFO, { versionNegotiation: { mode: 'auto' } })
  await client.connect(new StreamableHTTPClientTransport(new URL(url), withToken(token)))
  return client
}

/** SDK v1, which knows the legacy era alone. */
export async function connectV1(url: string, token: string): Promise<ClientV1> {
  const client = new ClientV1(INFO)
  const transport = new TransportV1(new URL(url), withToken(token))
  // v1 was written without exactOptionalPropertyTypes: its own transport does not fit its own type.
  await client.connect(transport as Parameters<ClientV1['connect']>[0])
  return client
}

const fromSdk = (connect: (url: string, token: string) => Promise<Connected>): ForeignClient => ({
  async list(url, token) {
    const client = await connect(url, token)
    try {
      return namesOf(await client.listTools())
    } finally {
      await client.close()
    }
  },
  async call(url, token, name, args) {
    const client = await connect(url, token)
    try {
      return textOf(await client.callTool({ name, arguments: { ...args } }))
    } finally {
      await client.close()
    }
  },
})

const fromInspector = (era: 'legacy' | 'auto'): ForeignClient => {
  const run = async (url: string, token: string, args: readonly string[]): Promise<unknown> => {
    // Legacy is what it does when it is not told.
    const eraArgs = era === 'legacy' ? [] : ['--protocol-era', era]
    const { exitCode, stdout, stderr } = await inspect(url, token, [...eraArgs, ...args])
    if (exitCode === 0) return JSON.parse(stdout).result
    const failure = InspectorFailure.safeParse(parseOr(stderr))
    throw new Error(failure.data?.error.message ?? `exit code ${exitCode}: ${stderr}`)
  }
  return {
    list: async (url, token) => namesOf(await run(url, token, ['--method', 'tools/list'])),
    call: async (url, token, tool, args) =>
      textOf(
        await run(url, token, [
          '--method',
          'tools/call',
          '--tool-name',
          tool,
          '--tool-args-json',
          JSON.stringify(args),
        ]),
      ),
  }
}

/** Every client, by the name under which the matrix lists it. */
export const CLIENTS = {
  'SDK v2 (auto)': fromSdk(connectV2),
  'SDK v1': fromSdk(connectV1),
  Inspector: fromInspector('legacy'),
  'Inspector (auto)': fromInspector('auto'),
} as const satisfies Record<string, ForeignClient>

function withToken(token: string) {
  return { requestInit: { headers: { authorization: `Bearer ${token}` } } }
}

function namesOf(result: unknown): string[] {
  return ListResult.parse(result).tools.map(({ name }) => name)
}

export function textOf(result: unknown): string {
  return CallResult.parse(result).content[0]?.text ?? ''
}

function parseOr(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
