import { isPlainObject } from '../../core/index.ts'
import type { Verdict } from '../answer/judge.ts'
import { isLogged } from '../log-levels.ts'
import { editObject, rawMember } from '../wire/edit-members.ts'
import type { RawId } from '../wire/reply.ts'
import { inputRequired } from './input-required.ts'
import { type Asked, isDeclared, MAX_ASKED } from './rounds.ts'
import { taskOnly } from './task-only.ts'
import { modernError, modernResult } from './to-modern.ts'

/** What has to be known of a modern request to show it a legacy server's messages. */
export interface ModernView {
  readonly method: string
  /** What the server said of itself. */
  readonly serverInfo: object
  /** As the client declared them for this request. */
  readonly capabilities: Readonly<Record<string, unknown>>
  /** Without one nothing is logged to the client. */
  readonly logLevel?: string
}

/** The code for dialogs at a URL, until 2025-11-25. */
const URL_ELICITATION_REQUIRED = -32042

/**
 * A message of a legacy server on the stream of a request, as a modern client must see it;
 * undefined for one that it must not. Requests are another matter: nobody may see those.
 */
export function modernMessage(
  view: ModernView,
  text: string,
  message: unknown,
  { kind }: Verdict,
): string | undefined {
  if (!isPlainObject(message)) return undefined
  if (kind === 'answer') return answer(view, text, message)
  return kind === 'notification' && isTold(view, message) ? text : undefined
}

/** Of other notifications only those go on a request's stream that nobody defined. */
const ELSEWHERE =
  /^notifications\/(.+\/list_changed|resources\/updated|elicitation\/complete|cancelled|initialized|tasks\/.+)$/

function isTold({ logLevel }: ModernView, { method, params }: Readonly<Record<string, unknown>>) {
  if (method !== 'notifications/message') return !ELSEWHERE.test(String(method))
  const level = isPlainObject(params) ? params['level'] : undefined
  return logLevel !== undefined && isLogged(level, logLevel)
}

function answer(
  view: ModernView,
  text: string,
  { id, error }: Readonly<Record<string, unknown>>,
): string {
  if (!isPlainObject(error)) {
    return editObject(text, {
      result: (raw) => raw && modernResult(view.method, raw, view.serverInfo),
    })
  }
  if (error['code'] !== URL_ELICITATION_REQUIRED) {
    const own = (raw: string) => (view.method === 'tools/call' ? taskOnly(raw) : raw)
    return editObject(text, { error: (raw) => raw && modernError(own(raw)) })
  }
  return dialog(view, text, JSON.stringify(id))
}

/** The call was refused until the dialog is over; then the client sends it again, and so do we. */
function dialog({ capabilities }: ModernView, text: string, id: RawId): string {
  const asked = dialogsIn(rawMember(text, 'error') ?? '')
  if (asked.length === 0) return editObject(text, { error: (raw) => raw && modernError(raw) })
  if (asked.every((one) => isDeclared(one, { capabilities }))) return inputRequired(id, asked)
  const error = {
    code: -32021,
    message: 'The server needs the client to show a URL.',
    data: { requiredCapabilities: { elicitation: { url: {} } } },
  }
  return `{"jsonrpc":"2.0","id":${id},"error":${JSON.stringify(error)}}`
}

function dialogsIn(error: string): Asked[] {
  const { data }: { data?: unknown } = JSON.parse(error)
  const dialogs = isPlainObject(data) ? data['elicitations'] : undefined
  if (!Array.isArray(dialogs)) return []
  return dialogs
    .slice(0, MAX_ASKED)
    .filter(isPlainObject)
    .map(({ url, message }, index) => ({
      key: `url-${index + 1}`,
      method: 'elicitation/create',
      params: JSON.stringify({ mode: 'url', message: message ?? '', url }),
    }))
}
