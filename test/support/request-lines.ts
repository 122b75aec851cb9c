import type { TestGateway } from './gateway.ts'

/** Sends, reads the answer to its end, and gives it with the lines that came of it. */
export async function linesOf(gateway: TestGateway, path: string, init?: RequestInit) {
  gateway.events.length = 0
  const { response, settle } = await gateway.fetchWith(path, init)
  const text = await response.text()
  await settle()
  const lines = gateway.events.filter(({ type }) => type === 'request')
  return { status: response.status, text, lines }
}
