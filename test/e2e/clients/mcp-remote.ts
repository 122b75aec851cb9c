import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { interopPath } from '../interop.ts'
import { type Connected, fromConnected } from './foreign-client.ts'

/**
 * `mcp-remote`, the bridge for clients that speak stdio alone, driven by SDK v1: a process with a
 * static header, and with a home of its own, where it would keep tokens and locks.
 */
export const mcpRemote = (strategy: 'http-first' | 'sse-only') =>
  fromConnected((url, token) => connectRemote(url, token, strategy))

async function connectRemote(url: string, token: string, strategy: string): Promise<Connected> {
  const home = await mkdtemp(join(tmpdir(), 'gatehouse-mcp-remote-'))
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [
      interopPath('mcp-remote', 'dist/proxy.js'),
      url,
      '--allow-http',
      '--transport',
      strategy,
      '--header',
      `Authorization: Bearer ${token}`,
    ],
    env: { HOME: home },
    stderr: 'pipe',
  })
  let said = ''
  transport.stderr?.on('data', (chunk) => {
    said += String(chunk)
  })
  const client = new Client({ name: 'e2e', version: '1.0.0' })
  const close = async (): Promise<void> => {
    await client.close()
    await rm(home, { recursive: true, force: true })
  }
  try {
    await client.connect(transport)
  } catch (error) {
    await close()
    throw new Error(`${String(error)}; mcp-remote said: ${said}`)
  }
  return {
    listTools: () => client.listTools(),
    callTool: (params) => client.callTool(params),
    readResource: (params) => client.readResource(params),
    getPrompt: (params) => client.getPrompt(params),
    close,
  }
}
