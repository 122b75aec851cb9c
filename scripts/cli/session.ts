import type { Command } from 'commander'
import { readDevInfo, stateDir } from '../start/state.ts'
import { type Api, createApi } from './api.ts'
import { MisuseError } from './errors.ts'

/** What every command can use: which gateway, as whom, and how to answer. */
export interface Session {
  /** Origin of the gateway: `--url`, `GATEHOUSE_URL`, the local one, the default. */
  url(): Promise<string>
  /** `--token`, `GATEHOUSE_TOKEN`, the local administrator's. Misuse when there is none. */
  token(): Promise<string>
  api(options?: { readonly anonymous?: boolean }): Promise<Api>
  readonly json: boolean
  /** The value as JSON with `--json`, else the text. */
  print(value: unknown, text: string): void
}

const DEFAULT_URL = 'http://127.0.0.1:8787'

/** The session that the options of a command and the environment describe. */
export function sessionOf(command: Command): Session {
  const options: { url?: string; token?: string; json?: boolean } = command.optsWithGlobals()
  const json = options.json ?? false

  async function url(): Promise<string> {
    const named = options.url ?? process.env['GATEHOUSE_URL']
    const text = named ?? (await readDevInfo())?.url ?? DEFAULT_URL
    if (!URL.canParse(text)) throw new MisuseError(`"${text}" is not a URL`)
    return new URL(text).origin
  }

  async function token(): Promise<string> {
    const named = options.token ?? process.env['GATEHOUSE_TOKEN']
    if (named) return named
    const local = await readDevInfo()
    // The local administrator's token is for the local gateway alone.
    if (local && local.url === (await url())) return local.adminToken
    throw new MisuseError(
      local
        ? `no token for ${await url()}: give --token or GATEHOUSE_TOKEN; ` +
            `${stateDir()} is the state folder of ${local.url} (GATEHOUSE_STATE names another)`
        : 'no token: give --token or GATEHOUSE_TOKEN, or run npm start first; no gateway runs in ' +
            `the state folder ${stateDir()} (GATEHOUSE_STATE names another)`,
    )
  }

  return {
    url,
    token,
    json,
    api: async ({ anonymous = false } = {}) =>
      createApi({ url: await url(), ...(anonymous ? {} : { token: await token() }) }),
    print: (value, text) => console.log(json ? JSON.stringify(value, null, 2) : text),
  }
}
