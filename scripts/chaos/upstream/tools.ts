import { z } from 'zod'

/** What every call of the run says: who calls, and which call it is. */
export const CallArguments = z.object({
  nonce: z.string(),
  canary: z.string(),
})
export type CallArguments = z.infer<typeof CallArguments>

export const TOOL_NAMES = ['echo', 'read', 'slow', 'stream'] as const
export type ToolName = (typeof TOOL_NAMES)[number]

/** The one that may be executed twice. */
export const SAFE_TOOL: ToolName = 'read'

const inputSchema = {
  type: 'object',
  properties: { nonce: { type: 'string' }, canary: { type: 'string' } },
  required: ['nonce', 'canary'],
}

/** As `tools/list` shows them. */
export const TOOLS = TOOL_NAMES.map((name) => ({
  name,
  description: `The tool ${name}.`,
  inputSchema,
  annotations:
    name === SAFE_TOOL ? { readOnlyHint: true } : { readOnlyHint: false, idempotentHint: false },
}))

const SLOW_MS = 300
const STREAM_STEPS = 4
const STEP_MS = 40

/** Runs a tool. `tell` reports a step of progress, which shows the caller's canary. */
export async function runTool(
  name: ToolName,
  { canary }: CallArguments,
  tell: (progress: number, message: string) => void,
): Promise<void> {
  if (name === 'slow') await pause(SLOW_MS)
  if (name !== 'stream') return
  for (let step = 1; step <= STREAM_STEPS; step += 1) {
    tell(step, `step ${step} for ${canary}`)
    await pause(STEP_MS)
  }
}

/** The text that only this call, at this server, may be answered with. */
export function answerText(server: string, tool: ToolName, args: CallArguments): string {
  return `${server} ${tool} ${args.nonce} ${args.canary}`
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
