import type { CallContext } from '../../core/index.ts'
import { isPlainObject } from '../../core/index.ts'
import { methodFacts } from '../messages.ts'
import type { AnswerPlan } from './answer-rules.ts'

/**
 * An answer that was judged ours with the client's id, where nothing else of it has to change and
 * its id stands where servers write it: most answers, which need no editor. Undefined for any
 * other. Every other character stays.
 */
export function withOnlyId(
  ctx: CallContext,
  plan: AnswerPlan,
  text: string,
  message: unknown,
): string | undefined {
  if (!plan.upstreamId || !isPlainObject(message) || mustChange(plan, message)) return undefined
  if (!isShallow(text)) return undefined
  const start = placeOfId(text, plan.upstreamId)
  if (start === undefined) return undefined
  if (Object.hasOwn(message, 'error')) ctx.facts.outcome = 'rpc_error'
  else if (isPlainObject(message['result']) && message['result']['isError'] === true) {
    ctx.facts.outcome = 'tool_error'
  }
  return text.slice(0, start) + plan.clientId + text.slice(start + plan.upstreamId.length)
}

/** Fewer of either kind cannot be nested deeper than the editor goes. */
const MAX_BRACKETS = 500

/** Whether a text cannot be nested deeper than the editor goes. */
export function isShallow(text: string): boolean {
  return !has(text, '[', MAX_BRACKETS) && !has(text, '{', MAX_BRACKETS)
}

function has(text: string, bracket: string, count: number): boolean {
  let left = count
  for (let at = text.indexOf(bracket); at !== -1; at = text.indexOf(bracket, at + 1)) {
    left -= 1
    if (left === 0) return true
  }
  return false
}

/** Whether a rule of `answer-rules.ts` may change more than the id. */
function mustChange(plan: AnswerPlan, message: Readonly<Record<string, unknown>>): boolean {
  if (plan.notes || (plan.error && Object.hasOwn(message, 'error'))) return true
  const { method } = plan.inbound
  if (methodFacts(method).isCacheable || method === 'tools/list') return true
  const { result, params } = message
  if (params !== undefined || (plan.names && method.startsWith('tasks/'))) return true
  if (!isPlainObject(result)) return false
  if (Object.hasOwn(result, 'requestState') || Object.hasOwn(result, 'taskId')) return true
  return plan.names !== undefined && namesThings(result)
}

/** Whether a result may name what is called otherwise where several servers meet. */
function namesThings(result: Readonly<Record<string, unknown>>): boolean {
  const { content, messages, contents, _meta } = result
  if (messages !== undefined || contents !== undefined) return true
  if (isPlainObject(_meta) && NAMES_IN_META.some((name) => Object.hasOwn(_meta, name))) return true
  if (content === undefined) return false
  return !Array.isArray(content) || content.some(isMoreThanWords)
}

const NAMES_IN_META = ['progressToken', 'ui', 'ui/resourceUri']

function isMoreThanWords(block: unknown): boolean {
  return !isPlainObject(block) || Object.hasOwn(block, 'uri') || Object.hasOwn(block, 'resource')
}

/** What stands in front of the id where it comes first, and around it where it comes last. */
const BEFORE_FIRST = /^\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?"id"\s*:\s*$/
const BEFORE_LAST = /(?<!\\)"id"\s*:\s*$/
/** The same as most servers write it. */
const USUAL_FIRST = '{"jsonrpc":"2.0","id":'
/** A member of that name, anywhere; and what may be one under another spelling. */
const ID_MEMBER = /"id"\s*:/g
const ID_NAME = '"id"'
const SPELT_ID = /\\u006[49]/i
const AFTER_LAST = /^\s*(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*$/
/** More white space than anybody writes between an id and its name. */
const NEAR_CHARS = 64

/** Where our id stands as a member of the message itself; undefined where that takes a parser. */
function placeOfId(text: string, raw: string): number | undefined {
  const first = text.indexOf(raw)
  if (first === -1 || (text.includes('\\') && SPELT_ID.test(text))) return undefined
  // A second one may be of the message as well, and then which of them counts is its reader's choice.
  const isAlone = text.indexOf(ID_NAME, text.indexOf(ID_NAME) + 1) === -1
  if (!isAlone && text.match(ID_MEMBER)?.length !== 1) return undefined
  if (first === USUAL_FIRST.length && text.startsWith(USUAL_FIRST)) return first
  if (first <= NEAR_CHARS && BEFORE_FIRST.test(text.slice(0, first))) return first
  const last = text.lastIndexOf(raw)
  const behind = text.length - last - raw.length
  const isLast =
    behind <= NEAR_CHARS &&
    AFTER_LAST.test(text.slice(last + raw.length)) &&
    BEFORE_LAST.test(text.slice(Math.max(0, last - NEAR_CHARS), last))
  return isLast ? last : undefined
}
