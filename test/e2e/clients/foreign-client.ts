import { z } from 'zod'

/** A client that nobody here wrote, as far as these suites use it. Each verb connects anew. */
export interface ForeignClient {
  /** Names of the tools. */
  list(url: string, token: string): Promise<string[]>
  /** The text of the result's first content. */
  call(url: string, token: string, tool: string, args: object): Promise<string>
  /** The text of the resource's first content. */
  readonly read: Read | NotOffered
  /** The text of the prompt's first message. */
  readonly prompt: Prompt | NotOffered
}

export type Read = (url: string, token: string, uri: string) => Promise<string>
export type Prompt = (
  url: string,
  token: string,
  name: string,
  args: Readonly<Record<string, string>>,
) => Promise<string>

/** What a client leaves out by its own design. */
export interface NotOffered {
  /** A sentence for docs/compatibility.md. */
  readonly notOffered: string
}

/** What the SDKs' clients, and whatever is shaped after them, have in common. */
export interface Connected {
  listTools(): Promise<unknown>
  callTool(params: { name: string; arguments: Record<string, unknown> }): Promise<unknown>
  readResource(params: { uri: string }): Promise<unknown>
  getPrompt(params: { name: string; arguments: Record<string, string> }): Promise<unknown>
  close(): Promise<void>
}

/** All verbs of a client that is shaped like the SDK's. */
export function fromConnected(
  connect: (url: string, token: string) => Promise<Connected>,
): ForeignClient & { readonly read: Read; readonly prompt: Prompt } {
  const using = async <T>(
    url: string,
    token: string,
    verb: (client: Connected) => Promise<T>,
  ): Promise<T> => {
    const client = await connect(url, token)
    try {
      return await verb(client)
    } finally {
      await client.close()
    }
  }
  return {
    list: (url, token) => using(url, token, async (it) => namesOf(await it.listTools())),
    call: (url, token, name, args) =>
      using(url, token, async (it) => textOf(await it.callTool({ name, arguments: { ...args } }))),
    read: (url, token, uri) =>
      using(url, token, async (it) => resourceText(await it.readResource({ uri }))),
    prompt: (url, token, name, args) =>
      using(url, token, async (it) =>
        promptText(await it.getPrompt({ name, arguments: { ...args } })),
      ),
  }
}

const ListResult = z.looseObject({ tools: z.array(z.looseObject({ name: z.string() })) })
const CallResult = z.looseObject({ content: z.array(z.looseObject({ text: z.string() })) })
const ReadResult = z.looseObject({ contents: z.array(z.looseObject({ text: z.string() })) })
const PromptResult = z.looseObject({
  messages: z.array(z.looseObject({ content: z.looseObject({ text: z.string() }) })),
})

export function namesOf(result: unknown): string[] {
  return ListResult.parse(result).tools.map(({ name }) => name)
}

export function textOf(result: unknown): string {
  return CallResult.parse(result).content[0]?.text ?? ''
}

export function resourceText(result: unknown): string {
  return ReadResult.parse(result).contents[0]?.text ?? ''
}

export function promptText(result: unknown): string {
  return PromptResult.parse(result).messages[0]?.content.text ?? ''
}

/** What every HTTP client here is told: the header that carries the token. */
export function authorization(token: string): { readonly authorization: string } {
  return { authorization: `Bearer ${token}` }
}
