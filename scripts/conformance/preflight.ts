import { isDeepStrictEqual } from 'node:util'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import type { Revision } from './scenarios.ts'

/** What the fixture must have at the least: a scenario whose tool is missing checks less. */
const TOOLS = [
  ...['simple_text', 'image_content', 'audio_content', 'embedded_resource'],
  ...['multiple_content_types', 'tool_with_logging', 'tool_with_progress', 'error_handling'],
  ...['sampling', 'elicitation', 'elicitation_sep1034_defaults', 'elicitation_sep1330_enums'],
  ...['reconnection', 'missing_capability', 'streaming_elicitation', 'logging_tool'],
  ...['trigger_tool_change', 'trigger_prompt_change', 'x_mcp_header'],
  ...[
    ...['elicitation', 'sampling', 'list_roots', 'request_state', 'multiple_inputs'],
    ...['multi_round', 'tampered_state', 'capabilities'],
  ].map((name) => `input_required_result_${name}`),
].map((name) => `test_${name}`)

const NAMES = {
  tools: [...TOOLS, 'json_schema_2020_12_tool'],
  resources: ['test://static-text', 'test://static-binary', 'test://watched-resource'],
  resourceTemplates: ['test://template/{id}/data'],
  prompts: [
    'test_simple_prompt',
    'test_prompt_with_arguments',
    'test_prompt_with_embedded_resource',
    'test_prompt_with_image',
    'test_input_required_result_prompt',
  ],
} as const

const CAPABILITIES = {
  tools: { listChanged: true },
  prompts: { listChanged: true },
  resources: { listChanged: true, subscribe: true },
  logging: {},
  completions: {},
}

/** Throws unless the server has all of it in this era; the legacy era with sessions and a GET stream. */
export async function assertFixture(url: string, revision: Revision): Promise<void> {
  const isLegacy = revision === '2025-11-25'
  const transport = new StreamableHTTPClientTransport(new URL(url))
  const client = new Client(
    { name: 'preflight', version: '1.0.0' },
    { versionNegotiation: { mode: isLegacy ? 'legacy' : { pin: revision } } },
  )
  await client.connect(transport)
  try {
    expect(client.getServerCapabilities(), CAPABILITIES, `capabilities of ${revision}`)
    expect(await missingNames(client), [], `names missing in ${revision}`)
    if (isLegacy) await assertSessionful(url, transport.sessionId)
  } finally {
    await transport.terminateSession()
    await client.close()
  }
}

async function missingNames(client: Client): Promise<string[]> {
  const { tools } = await client.listTools()
  const { resources } = await client.listResources()
  const { resourceTemplates } = await client.listResourceTemplates()
  const { prompts } = await client.listPrompts()
  const present = new Set([
    ...tools.map(({ name }) => name),
    ...resources.map(({ uri }) => uri),
    ...resourceTemplates.map(({ uriTemplate }) => uriTemplate),
    ...prompts.map(({ name }) => name),
  ])
  return Object.values(NAMES)
    .flat()
    .filter((name) => !present.has(name))
}

async function assertSessionful(url: string, sessionId: string | undefined): Promise<void> {
  expect(typeof sessionId, 'string', 'type of the session id')
  const call = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2025-11-25',
    },
    body: JSON.stringify(call),
  })
  await response.body?.cancel()
  expect(response.status, 400, 'status of a request without a session')
}

function expect(actual: unknown, expected: unknown, what: string): void {
  if (isDeepStrictEqual(actual, expected)) return
  throw new Error(
    `the fixture is not what it must be: ${what}: ${JSON.stringify(actual)}, not ${JSON.stringify(expected)}`,
  )
}
