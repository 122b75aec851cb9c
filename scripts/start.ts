import { ApiError, createApi } from './cli/api.ts'
import { callTool, resultText } from './cli/mcp-call.ts'
import { launchEverything, launchSample, type RunningSample } from './samples/launch.ts'
import { type Child, stopEveryChild } from './start/child.ts'
import { clientConfig } from './start/client-config.ts'
import { portState } from './start/port-holder.ts'
import { applySamplePolicy, registerSample, SAMPLE_SERVERS } from './start/register.ts'
import { ensureDevVars, readSigningKey } from './start/secrets.ts'
import {
  type DevInfo,
  lockState,
  prepareStateFolder,
  removeDevInfo,
  stateDir,
  unlockState,
  writeDevInfo,
} from './start/state.ts'
import { localTokens } from './start/tokens.ts'
import { applyMigrations, fireCron, gatewayLogPath, startGateway } from './start/wrangler.ts'

/**
 * `npm start`: the whole gateway on this machine, with three sample upstreams behind it and one
 * real call through it. `PORT` (8787) and `GATEHOUSE_STATE` (.gatehouse) change where.
 */

const CRON_EVERY_MS = 60_000
const PARENT_POLL_MS = 500
const underNpm = process.env['npm_lifecycle_event'] !== undefined
const startedAt = Date.now()
let stopping = false

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => void shutDown(0, `\nstopping (${signal})`))
}
// npm passes SIGTERM to the shell between us, which dies without passing it on.
const parent = process.ppid
setInterval(() => {
  if (underNpm && process.ppid !== parent) void shutDown(0, 'npm is gone, stopping')
}, PARENT_POLL_MS).unref()
try {
  await main()
} catch (error) {
  if (!stopping) await shutDown(1, `failed: ${error instanceof Error ? error.message : error}`)
}

async function main(): Promise<void> {
  const port = await choosePort()
  const publicUrl = `http://127.0.0.1:${port}`
  await prepareStateFolder()
  await lockState()
  await removeDevInfo()
  const secrets = await ensureDevVars()
  say(
    secrets === 'created'
      ? 'created .dev.vars with fresh secrets'
      : 'using the secrets of .dev.vars',
  )

  say('applying the D1 migrations, starting three sample upstreams')
  const [samples] = await Promise.all([startSamples(), applyMigrations()])
  say('starting the gateway')
  const gateway = await startGateway(port)
  watch(gateway, samples)

  const tokens = await localTokens(publicUrl, await signingKey())
  const servers = SAMPLE_SERVERS.map((server, index) => ({
    ...server,
    url: samples[index]?.url ?? '',
    mcpUrl: `${publicUrl}/${server.path}/mcp`,
  }))
  say('registering the samples')
  const api = createApi({ url: publicUrl, token: tokens.adminToken })
  const policy = await applySamplePolicy(api)
  if (policy === 'own') say(`keeping the gateway's own policy, not the sample's`)
  const registering = servers.map(({ mcpUrl: _, ...server }) => server)
  await asFarAs(policy, async () => {
    for (const server of registering) await registerSample(api, server)
  })

  say('calling currenttime/current_time_by_timezone as the user')
  const call = () => firstCall(`${publicUrl}/currenttime/mcp`, tokens.userToken)
  const result = (await asFarAs(policy, call)) ?? 'not made'
  const info: DevInfo = {
    url: publicUrl,
    mcpUrl: `${publicUrl}/mcp`,
    ...tokens,
    servers: servers.map(({ path, url, mcpUrl }) => ({ path, url, mcpUrl })),
  }
  report(info, result)
  say(`wrote ${await writeDevInfo(info)}`)
  say(`ready in ${((Date.now() - startedAt) / 1000).toFixed(1)} s; Ctrl-C stops everything`)
  keepCronRunning(publicUrl)
}

/** An own policy need not let the sample's people do what the sample lets them do. */
async function asFarAs<T>(policy: 'sample' | 'own', act: () => Promise<T>): Promise<T | undefined> {
  try {
    return await act()
  } catch (error) {
    if (policy === 'sample' || !(error instanceof ApiError)) throw error
    say(`not done under the gateway's own policy: ${error.message}`)
    return undefined
  }
}

/** Exits when the port is taken, before anything was started. */
async function choosePort(): Promise<number> {
  const port = Number(process.env['PORT'] || 8787)
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new Error(`PORT must be 1 to 65535, not "${process.env['PORT']}"`)
  }
  const state = await portState(port)
  if (state.kind === 'free') return port
  if (state.kind === 'forbidden') throw new Error(`cannot listen on port ${port}: ${state.message}`)
  const { holder } = state
  const who = holder ? `process ${holder.pid} (${holder.command})` : 'a process of another user'
  const starter = holder?.starter
    ? `; it belongs to the npm start of process ${holder.starter}`
    : ''
  throw new Error(
    `port ${port} is held by ${who}${starter}.\nStop it, or choose another port and state folder: GATEHOUSE_STATE=.gatehouse-2 PORT=8788 npm start`,
  )
}

function startSamples(): Promise<RunningSample[]> {
  return Promise.all([launchSample('currenttime'), launchSample('fininfo'), launchEverything()])
}

async function signingKey() {
  const key = await readSigningKey()
  if (key) return key
  throw new Error('GATEHOUSE_SIGNING_KEY is missing from .dev.vars')
}

/** A sample that dies is reported; without the gateway nothing is left to do. */
function watch(gateway: Child, samples: readonly RunningSample[]): void {
  void gateway.exited.then((how) => {
    if (!stopping) void shutDown(1, `${gateway.name} ended with ${how}\n${gateway.tail()}`)
  })
  for (const { child } of samples) {
    void child.exited.then((how) => {
      if (!stopping)
        say(`the sample ${child.name} (pid ${child.pid}) ended with ${how}\n${child.tail()}`)
    })
  }
}

async function firstCall(url: string, token: string): Promise<string> {
  const args = { tz_name: 'Europe/Zurich' }
  const result = await callTool({ url, token, tool: 'current_time_by_timezone', args })
  if (result.isError) throw new Error(`the first call failed: ${resultText(result)}`)
  return resultText(result)
}

function report(info: DevInfo, result: string): void {
  const entry = { name: 'gatehouse', url: info.mcpUrl, token: info.userToken }
  const blocks = clientConfig(entry).map(({ title, text }) => `${title}\n\n${text}\n`)
  console.log(`
Gatehouse is at ${info.url}

Everything:   ${info.mcpUrl}
One server:   ${info.servers.map(({ mcpUrl }) => mcpUrl).join('\n              ')}
Admin token:  ${info.adminToken}
User token:   ${info.userToken}
First call:   ${result}

To use it from a client (one entry for all servers):

${blocks.join('\n')}
State:        ${stateDir()}
Log:          ${gatewayLogPath()}
`)
}

/** Cron does not fire by itself on a laptop. One failure is one line, not an end. */
function keepCronRunning(publicUrl: string): void {
  setInterval(() => {
    fireCron(publicUrl).catch((error: unknown) => {
      if (!stopping) say(`health checks failed: ${error instanceof Error ? error.message : error}`)
    })
  }, CRON_EVERY_MS)
}

async function shutDown(exitCode: number, why: string): Promise<void> {
  if (stopping) return
  stopping = true
  console.error(why.startsWith('\n') ? why.slice(1) : `gatehouse: ${why}`)
  await stopEveryChild()
  await unlockState()
  process.exit(exitCode)
}

function say(text: string): void {
  console.log(`gatehouse: ${text}`)
}
