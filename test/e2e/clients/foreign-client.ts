import { z } from 'zod'

/** A client that nobody here wrote, as far as these suites use it. */
export interface ForeignClient {
  /** Throws what the client throws when it cannot connect. */
  connect(url: string, token: string): Promise<ForeignSession>
  /** What it leaves out by its own design, with a sentence for docs/compatibility.md. */
  readonly notOffered?: Readonly<Partial<Record<'read' | 'prompt', string>>>
}

/** A client that is connected, or that connects anew for each verb where it is a command line. */
export interface ForeignSession {
  /** Names of the tools. */
  list(): Promise<string[]>
  /** The text of the result's first content. */
  call(tool: string, args: object): Promise<string>
  /** The text of the resource's first content. */
  read(uri: string): Promise<string>
  /** The text of the prompt's first message. */
  prompt(name: string, args: Readonly<Record<string, string>>): Promise<string>
  close(): Promise<void>
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
): ForeignClient {
  return {
    async connect(url, token) {
      const client = await connect(url, token)
      return {
        list: async () => namesOf(await client.listTools()),
        call: async (name, args) => textOf(await client.callTool({ name, arguments: { ...args } })),
        read: async (uri) => resourceText(await client.readResource({ uri })),
        prompt: async (name, args) =>
          promptText(await client.getPrompt({ name, arguments: { ...args } })),
        close: () => client.close(),
      }
    },
  }
}

/** Runs one verb, or several, in a connection of its own. */
export async function using<T>(
  client: ForeignClient,
  url: string,
  token: string,
  verbs: (session: ForeignSession) => Promise<T>,
): Promise<T> {
  const session = await client.connect(url, token)
  try {
    return await verbs(session)
  } finally {
    await session.close()
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
