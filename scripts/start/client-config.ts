/** Text to paste into a client, for one endpoint of the gateway. */
export interface ClientEntry {
  readonly name: string
  readonly url: string
  readonly token: string
}

/** Blocks for VS Code, Cursor and Claude Code, each with its place as a title. */
export function clientConfig(entry: ClientEntry): { title: string; text: string }[] {
  const { name, url, token } = entry
  const headers = { Authorization: `Bearer ${token}` }
  return [
    {
      title: 'VS Code: .vscode/mcp.json',
      text: pretty({ servers: { [name]: { type: 'http', url, headers } } }),
    },
    {
      title: 'Cursor: .cursor/mcp.json',
      text: pretty({ mcpServers: { [name]: { url, headers } } }),
    },
    {
      title: 'Claude Code: in a shell',
      text: `claude mcp add --transport http ${name} ${url} --header "Authorization: Bearer ${token}"`,
    },
  ]
}

function pretty(value: object): string {
  return JSON.stringify(value, null, 2)
}
