import { randomBytes } from 'node:crypto'
import { appendFile, chmod, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { exportJWK, generateKeyPair } from 'jose'
import { SigningKeyJwk } from '../../src/identity/index.ts'
import { ROOT } from './state.ts'

/** The local secrets that wrangler reads: `.dev.vars` beside wrangler.toml, never committed. */
const DEV_VARS_PATH = join(ROOT, '.dev.vars')

/** Adds the secrets that are missing, with fresh values; mode 600. Existing lines stay as they are. */
export async function ensureDevVars(path = DEV_VARS_PATH): Promise<'created' | 'kept'> {
  const existing = await readDevVars(path)
  const missing = [
    ...(existing['GATEHOUSE_SECRET'] ? [] : [`GATEHOUSE_SECRET=${freshSecret()}`]),
    ...(existing['GATEHOUSE_SIGNING_KEY']
      ? []
      : [`GATEHOUSE_SIGNING_KEY='${JSON.stringify(await freshSigningKey())}'`]),
  ]
  if (missing.length > 0) {
    const text = await readFile(path, 'utf8').catch(() => '')
    const separator = text === '' || text.endsWith('\n') ? '' : '\n'
    await appendFile(path, `${separator}${missing.join('\n')}\n`, { mode: 0o600 })
  }
  await chmod(path, 0o600)
  return missing.length > 0 ? 'created' : 'kept'
}

/** The variables of a `.dev.vars` file; none when there is no file. */
export async function readDevVars(path = DEV_VARS_PATH): Promise<NodeJS.Dict<string>> {
  return parseEnv(await readFile(path, 'utf8').catch(() => ''))
}

/** The key of the gateway's own issuer: from the environment, else from `.dev.vars`. */
export async function readSigningKey(): Promise<SigningKeyJwk | undefined> {
  const text =
    process.env['GATEHOUSE_SIGNING_KEY'] ?? (await readDevVars())['GATEHOUSE_SIGNING_KEY']
  return text === undefined ? undefined : SigningKeyJwk.parse(JSON.parse(text))
}

/** 256 bits. */
function freshSecret(): string {
  return randomBytes(32).toString('base64url')
}

async function freshSigningKey(): Promise<object> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  return exportJWK(privateKey)
}
