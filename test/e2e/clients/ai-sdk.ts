import { importInterop } from '../interop.ts'
import { authorization, type Connected, fromConnected } from './foreign-client.ts'

/** The part of `@ai-sdk/mcp` that is used here. */
interface AiSdk {
  createMCPClient(config: {
    readonly transport: {
      readonly type: 'http' | 'sse'
      readonly url: string
      readonly headers: Readonly<Record<string, string>>
    }
    readonly protocolVersionDiscovery: boolean
  }): Promise<AiSdkClient>
}

interface AiSdkClient extends Pick<Connected, 'listTools' | 'callTool' | 'readResource' | 'close'> {
  getPrompt(prompt: { name: string; arguments: Record<string, string> }): Promise<unknown>
}

/** The Vercel AI SDK's client; it asks with `server/discover` first, unless told not to. */
export const aiSdk = (era: 'auto' | 'legacy', type: 'http' | 'sse' = 'http') =>
  fromConnected(async (url, token) => {
    // Typed by hand: its own types are not installed with the gateway's.
    const { createMCPClient } = (await importInterop('@ai-sdk/mcp')) as AiSdk
    return createMCPClient({
      transport: { type, url, headers: authorization(token) },
      protocolVersionDiscovery: era === 'auto',
    })
  })
