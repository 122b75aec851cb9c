import { randomUUID } from 'node:crypto'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import { type Principal, TenantId } from '../../src/core/index.ts'
import { signToken } from '../../src/identity/index.ts'
import { readSigningKey } from '../start/secrets.ts'
import { parseDuration } from './duration.ts'
import { MisuseError } from './errors.ts'
import { type Session, sessionOf } from './session.ts'

interface CreateOptions {
  readonly subject: string
  readonly group: readonly string[]
  readonly scope: readonly string[]
  readonly tenant: TenantId
  readonly kind: Principal['kind']
  readonly ttl: number
  readonly audience?: string
}

/** `token create` and `token inspect`: tokens of the gateway's own issuer. */
export function addTokenCommands(program: Command): void {
  const token = program.command('token').description("tokens of the gateway's own issuer")

  token
    .command('create')
    .description('sign a token with GATEHOUSE_SIGNING_KEY (environment, else .dev.vars)')
    .requiredOption('--subject <name>', 'whose token it is')
    .option('--group <group...>', 'user groups, which the policy maps to access scopes', [])
    .option('--scope <scope...>', 'OAuth scopes', [])
    .option('--tenant <tenant>', 'tenant', tenant, tenant('default'))
    .addOption(
      new Option('--kind <kind>', 'what the subject is')
        .choices(['user', 'service', 'agent'])
        .default('user'),
    )
    .option('--ttl <duration>', 'lifetime, such as 15m, 24h or 7d', lifetime, 3600)
    .option('--audience <url>', 'one endpoint only (default: the whole gateway)')
    .action(async (options: CreateOptions, command: Command) => {
      const session = sessionOf(command)
      const issuer = await session.url()
      const signingKeyJwk = await readSigningKey()
      if (!signingKeyJwk) {
        throw new MisuseError('no GATEHOUSE_SIGNING_KEY in the environment or in .dev.vars')
      }
      const now = Date.now()
      const signed = await signToken(
        { issuer, signingKeyJwk },
        {
          subject: options.subject,
          audience: options.audience ?? issuer,
          tenant: options.tenant,
          groups: options.group,
          scopes: options.scope,
          kind: options.kind,
          ttlSeconds: options.ttl,
          now,
          jti: randomUUID(),
        },
      )
      const expiresAt = new Date(now + options.ttl * 1000).toISOString()
      session.print({ token: signed, expiresAt }, signed)
    })

  token
    .command('inspect <token>')
    .description("show what a token says, and check it against the issuer's keys")
    .action(async (text: string, _options: object, command: Command) => {
      const session = sessionOf(command)
      const { header, claims } = decode(text)
      const signature = await checkSignature(session, text)
      const lines = [
        `signature: ${signature}`,
        `lifetime:  ${lifetimeText(claims.exp)}`,
        JSON.stringify(claims, null, 2),
      ]
      session.print({ signature, header, claims }, lines.join('\n'))
      if (signature.startsWith('invalid')) process.exitCode = 1
    })
}

function decode(text: string) {
  try {
    return { header: decodeProtectedHeader(text), claims: decodeJwt(text) }
  } catch {
    throw new MisuseError('that is not a JWT')
  }
}

/** Only tokens of the chosen gateway can be checked: its keys are asked for, no other issuer's. */
async function checkSignature(session: Session, text: string): Promise<string> {
  const url = await session.url()
  if (decodeJwt(text).iss !== url) return `not checked: not issued by ${url}`
  const api = await session.api({ anonymous: true })
  const jwks = await api.request('GET', '/.well-known/jwks.json').catch(() => undefined)
  if (jwks === undefined) return `not checked: ${url} gives no keys`
  try {
    await jwtVerify(text, createLocalJWKSet(jwks as Parameters<typeof createLocalJWKSet>[0]))
    return 'valid'
  } catch (error) {
    return `invalid: ${error instanceof Error ? error.message : 'cannot be verified'}`
  }
}

function lifetimeText(expiresAt: number | undefined): string {
  if (expiresAt === undefined) return 'does not expire'
  const at = new Date(expiresAt * 1000).toISOString()
  return expiresAt * 1000 > Date.now() ? `until ${at}` : `expired at ${at}`
}

function tenant(text: string): TenantId {
  const parsed = TenantId.safeParse(text)
  if (parsed.success) return parsed.data
  throw new InvalidArgumentError(parsed.error.issues[0]?.message ?? 'is not a tenant')
}

function lifetime(text: string): number {
  const seconds = parseDuration(text)
  if (seconds !== undefined && seconds > 0) return seconds
  throw new InvalidArgumentError('must be a duration such as 90s, 15m, 24h or 7d')
}
