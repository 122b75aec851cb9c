import type { Statement } from './statement.ts'

/** Sessions, ids, and requests of servers. */
export const SESSION_STATEMENTS: readonly Statement[] = [
  {
    statement: 1,
    source:
      'affine-mcp-server#301, zereight/gitlab-mcp#697, conformance suite server-session-lifecycle',
    requirements: {
      'session-unknown-404': 'A POST under a session id that was never given is 404.',
      'session-expired-404': 'A session is 404 once its time is over.',
      'session-deleted-404': 'A session that was deleted is 404, whichever isolate is asked.',
      'session-get-404': 'A GET under an unknown session id is 404.',
      'session-delete-404': 'A DELETE under an unknown session id is 404.',
      'session-missing-400': 'A request without its session id is 400 where one was given.',
      'session-404-first': 'The 404 comes before limits, policy and errors of the upstream.',
      'session-401-before-404': 'Whoever proves nothing is 401, whatever session he names.',
    },
  },
  {
    statement: 2,
    source: 'metamcp#166, metamcp PR#283, mcp-gateway#247, mcp-remote PR#307',
    requirements: {
      'session-reopened-once':
        'A session that the upstream forgot is opened again once, its request sent again once, and the client sees its own answer alone.',
      'session-reopened-for-all':
        'Calls that notice it at the same time open one session together.',
      'session-no-unsafe-replay': 'A call that may have taken effect is not sent again.',
    },
  },
  {
    statement: 3,
    source: 'typescript-sdk#2433, python-sdk#3060, cloudflare/agents#1632',
    requirements: {
      'equal-ids-apart':
        'Two requests in flight with the same JSON-RPC id get each its own answer.',
      'upstream-ids-own': 'The upstream never sees an id that a client chose.',
    },
  },
  {
    statement: 4,
    source: 'CVE-2026-25536, GHSA-345p-7cg4-v4c7, swift-sdk#265',
    requirements: {
      'clients-apart':
        'Clients that use the same ids at the same time neither get nor cancel anything of each other.',
    },
  },
  {
    statement: 5,
    source: 'frontmcp PR#529, GHSA-84j6-jc92-77jm, servers#4087',
    requirements: {
      'session-bound-to-principal': 'A session id is unknown to everybody but its own principal.',
      'resume-bound-to-principal': "Another principal's Last-Event-ID resumes nothing.",
      'resume-bound-to-stream': 'An event of one stream is never replayed on another.',
      'resume-unknown-event': 'An unknown event id resumes nothing.',
    },
  },
  {
    statement: 6,
    source: 'SDK 1.29 note in frontmcp PR#529, rust-sdk#791',
    requirements: {
      'priming-by-version': 'The priming event goes to clients of 2025-11-25 alone.',
      'event-id-names-stream': 'An event id says to which stream it belongs.',
    },
  },
  {
    statement: 7,
    source: 'agentgateway#2838, agentgateway PR#2207',
    requirements: {
      'client-response-relayed': "A client's answer to a request of its server reaches it: 202.",
      'client-response-routed':
        'Where several servers meet, the answer goes to the one that asked, under the id it gave.',
    },
  },
  {
    statement: 8,
    source: 'mcp-context-forge#1985',
    requirements: {
      'server-request-to-its-client':
        'A request of a server reaches the client whose call it is about.',
    },
  },
  {
    statement: 9,
    source: 'mcp-context-forge#6642, cloudflare/agents PR#1910',
    requirements: {
      'client-capabilities-forwarded': 'The upstream is told the capabilities of the end client.',
      'missing-capability-told':
        'The refusal of an upstream that lacks a capability of the client (-32021) reaches it: 400.',
      'bridged-capabilities':
        'A client that declared forms alone never gets the mode url, also across eras; it is -32021.',
    },
  },
  {
    statement: 10,
    source: 'mcp-context-forge#6640, agentgateway PR#2559',
    requirements: {
      'input-required-relayed':
        'input_required and inputResponses pass for tools/call, prompts/get and resources/read.',
      'request-state-sealed':
        'requestState is sealed for the client; what was tampered with is refused.',
      'request-state-exact': 'requestState reaches the upstream byte for byte.',
      'input-required-bridged':
        'A request of a legacy server becomes input_required for a modern client, and the other way round.',
    },
  },
  {
    statement: 18,
    source: 'mcp-proxy PR#189, twenty#24559, metamcp#129',
    requirements: {
      'meta-reaches-upstream':
        'progressToken, traceparent and the keys of vendors reach the upstream.',
      'progress-own-token':
        "Progress comes back on its own request's stream under the client's own token.",
      'progress-only-on-token': 'Without a token there is no progress.',
      'progress-extends-timeout': 'Progress puts the timeout off.',
      'progress-maximum': 'No progress puts it off beyond a maximum.',
    },
  },
  {
    statement: 19,
    source: 'XcodeMCPKit#210, mcp-context-forge#1983, mcp-context-forge#6645',
    requirements: {
      'cancel-mapped': "A cancel names the upstream's id, and is dropped where nothing runs.",
      'cancel-overtakes': 'A cancel is not queued behind the call that it cancels.',
      'cancel-across-isolates': 'A cancel that arrives on another isolate finds its call.',
      'disconnect-cancels': 'A client that goes away cancels its call at the upstream.',
      'late-answer-dropped':
        'Once its client is gone an answer reaches nobody, and the next call is served.',
    },
  },
]
