import { hello, legacy, NOTIFICATION, type TestGateway } from './gateway.ts'

/** What a legacy client sends with every request of its session. */
export type SessionHeaders = Readonly<Record<'mcp-session-id' | 'mcp-protocol-version', string>>

/** Sends `initialize` alone. */
export async function openSession(
  gateway: TestGateway,
  token: string,
  path: string,
  version = '2025-11-25',
): Promise<SessionHeaders> {
  const opened = await gateway.fetch(path, legacy(token, 'initialize', hello(version)))
  await opened.text()
  const id = opened.headers.get('mcp-session-id') ?? ''
  return { 'mcp-session-id': id, 'mcp-protocol-version': version }
}

/** The whole handshake. */
export async function greet(
  gateway: TestGateway,
  token: string,
  path: string,
): Promise<SessionHeaders> {
  const headers = await openSession(gateway, token, path)
  await gateway.fetch(path, legacy(token, 'notifications/initialized', {}, headers, NOTIFICATION))
  return headers
}
