/** The requests that are measured: the same text for each row of an era. */

const ID = '"bench-1"'
const ARGUMENTS = { message: 'hello' }
const CLIENT = { name: 'bench', version: '1.0.0' }
const ACCEPT = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }

export const LEGACY_VERSION = '2025-11-25'

/** What every correct answer holds. */
const EXPECTED_RESULT = [`"id":${ID}`, '"result":{'] as const

/** A request of the modern era as `Target` has it. */
export function modernCall(tool: string, meta: object = {}) {
  const params = {
    name: tool,
    arguments: ARGUMENTS,
    _meta: { ...MODERN_META, ...meta },
  }
  return {
    headers: { ...ACCEPT, ...modernHeaders('tools/call'), 'mcp-name': tool },
    body: message('tools/call', params),
    expect: EXPECTED_RESULT,
  }
}

/** One page of a list; an empty cursor asks for the first. */
export function modernList(cursor: string | undefined) {
  const params = { ...(cursor === undefined ? {} : { cursor }), _meta: MODERN_META }
  return {
    headers: { ...ACCEPT, ...modernHeaders('tools/list') },
    body: message('tools/list', params),
  }
}

/** A request in a legacy session. */
export function legacyCall(tool: string, sessionId: string) {
  return {
    headers: { ...ACCEPT, 'mcp-protocol-version': LEGACY_VERSION, 'mcp-session-id': sessionId },
    body: message('tools/call', { name: tool, arguments: ARGUMENTS }),
    expect: EXPECTED_RESULT,
  }
}

/** Opens a legacy session; gives its id. Throws when none was issued. */
export async function openSession(
  url: string,
  auth: Readonly<Record<string, string>>,
): Promise<string> {
  const send = (body: string, headers: Readonly<Record<string, string>>) =>
    fetch(url, { method: 'POST', headers: { ...ACCEPT, ...auth, ...headers }, body })
  const params = { protocolVersion: LEGACY_VERSION, capabilities: {}, clientInfo: CLIENT }
  const opened = await send(message('initialize', params), {})
  const said = await opened.text()
  const sessionId = opened.headers.get('mcp-session-id')
  if (sessionId === null) throw new Error(`${url} opened no session: ${said.slice(0, 300)}`)
  const told = await send('{"jsonrpc":"2.0","method":"notifications/initialized"}', {
    'mcp-session-id': sessionId,
    'mcp-protocol-version': LEGACY_VERSION,
  })
  await told.text()
  return sessionId
}

const MODERN_META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
  'io.modelcontextprotocol/clientInfo': CLIENT,
}

function modernHeaders(method: string) {
  return { 'mcp-protocol-version': '2026-07-28', 'mcp-method': method }
}

function message(method: string, params: object): string {
  return `{"jsonrpc":"2.0","id":${ID},"method":"${method}","params":${JSON.stringify(params)}}`
}
