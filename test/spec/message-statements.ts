import type { Statement } from './statement.ts'

/** Headers, what a message says, and where messages of several servers meet. */
export const MESSAGE_STATEMENTS: readonly Statement[] = [
  {
    statement: 11,
    source: 'agentgateway#2980, agentgateway PR#2948, agentgateway#1851, agentgateway#1985',
    requirements: {
      'hop-headers-stay': 'No header of hop 1 reaches hop 2 that the gateway did not set itself.',
      'client-token-stays': "The client's token never reaches an upstream.",
      'hop-version-agrees': 'The version header of hop 2 is the version of its body or session.',
    },
  },
  {
    statement: 12,
    source: 'mcp-context-forge#6636, mcp-context-forge#6256',
    requirements: {
      'mirrored-headers-recomputed':
        'Mcp-Method, Mcp-Name and Mcp-Param-* are computed from the body.',
      'mirrored-name-without-prefix': "On a shared endpoint Mcp-Name is the upstream's own name.",
      'mirrored-headers-modern-only': 'A legacy upstream gets none of them.',
    },
  },
  {
    statement: 13,
    source: 'mcp-context-forge#6637; MCP 2026-07-28, Streamable HTTP, Request metadata',
    requirements: {
      'header-mismatch-400': 'A header that is missing or disagrees with the body: 400, -32020.',
      'bad-version-400': 'An unknown version: 400, -32022, with those that are spoken.',
      'bad-envelope-400': 'A request without its envelope: 400, -32602.',
      'unknown-method-404': 'An unknown method: 404, -32601.',
      'notification-202': 'A notification: 202, no body.',
      'legacy-needs-no-headers': 'A legacy message is not held to the headers of the modern era.',
    },
  },
  {
    statement: 14,
    source: 'agentgateway#3476',
    requirements: {
      'list-every-page': 'A list over paginating upstreams has every page of each.',
      'cursor-sealed': 'A merged cursor is opaque, stable, and bound to its caller.',
      'cursor-empty-valid': 'The empty cursor is a cursor.',
      'cursor-bad-32602': 'A cursor that is no cursor: -32602.',
    },
  },
  {
    statement: 15,
    source: 'agentgateway#962, pctx#119, litellm PR#36675, agentgateway PR#3009',
    requirements: {
      'dead-upstream-alone':
        'A dead or slow upstream costs a list its own entries, within a deadline.',
      'failure-not-empty': 'A failure is never remembered as an empty list.',
      'failure-reported': 'Who is missing from a list is said with it.',
    },
  },
  {
    statement: 16,
    source: 'metamcp#249, mcp-proxy#45, langflow-e2e PR#1410, agentgateway#495, litellm PR#26733',
    requirements: {
      'names-bounded':
        'A shared name is at most 64 safe characters, with a hash where it was altered.',
      'names-callable': 'What is listed under a name is called by that name.',
      'names-always-prefixed': 'A name does not change because a second server appeared.',
    },
  },
  {
    statement: 17,
    source: 'gemini-cli PR#27964, agentgateway PR#2538, mcp-context-forge#5345',
    requirements: {
      'uri-to-its-server': 'The same URI of two servers resolves to each for itself.',
      'uri-opaque-and-templates':
        'Opaque URIs and templates keep their text and find their server.',
      'uri-rewritten-everywhere':
        'URIs in links, embedded resources and contents are rewritten alike.',
      'uri-ui-stays': 'ui:// stays ui://.',
      'uri-in-updates': 'The URI of resources/updated is rewritten like all others.',
    },
  },
  {
    statement: 20,
    source: 'mcp-context-forge#5346, fastmcp#4161, zilla PR#1789',
    requirements: {
      'list-changed-once': 'A change of a list is told once per kind to each subscribed client.',
      'list-changed-cache-first': 'The cache is invalidated before the change is told.',
      'list-changed-honest': 'listChanged is advertised only where it is relayed.',
    },
  },
  {
    statement: 21,
    source: 'mcp-context-forge#4303, mcp-context-forge#5615, mcp-hangar#1027',
    requirements: {
      'updates-to-subscribers': 'resources/updated reaches subscribers alone.',
      'updates-counted': 'An upstream subscription lives as long as its last subscriber.',
      'updates-authorised': 'What a subscriber may see is judged when it is sent.',
    },
  },
  {
    statement: 22,
    source: 'conformance suite server-stateless, cloudflare/mcp PR#192',
    requirements: {
      'listen-ack-first': 'A listen stream begins with what of it is honoured.',
      'listen-own-id': 'Every message of it names the id that the client gave.',
      'listen-bounded': 'Listen streams are capped per client, kept alive, and cost little memory.',
    },
  },
  {
    statement: 23,
    source: 'measured with SDK v2, mastra PR#13588, kimi-code PR#2596, FastMCP documentation',
    requirements: {
      'unknown-survives': 'Unknown members, content types and _meta pass unchanged, both ways.',
      'output-not-corrected': 'A result that breaks its outputSchema is passed on as it is.',
    },
  },
  {
    statement: 24,
    source: 'modelcontextprotocol#3207, template-agent#230, anythingmcp PR#533',
    requirements: {
      'lists-private': "A list is private, whatever the upstream's cacheScope says.",
      'lists-by-rights': 'Callers of different rights never get a list of each other.',
    },
  },
  {
    statement: 25,
    source: 'agentgateway#1855, mcp-debugger#677, GHSA-w48q-cv73-mx4w',
    requirements: {
      'origin-403': 'A foreign Origin is 403 on every path and method.',
      'host-403': 'A foreign Host is 403 on every path and method.',
      'cors-headers':
        'CORS exposes the session id and the challenge, and allows the headers of MCP.',
      'cors-no-credentials': 'CORS is never for everybody, and never with credentials.',
    },
  },
]
