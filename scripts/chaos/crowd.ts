import { createSessionBoard, type Desk } from './clients/desk.ts'
import { nextStep } from './clients/plan.ts'
import { type ChaosClient, createLegacyClient, createModernClient } from './clients/raw-clients.ts'
import { createSdkClient } from './clients/sdk-clients.ts'
import type { ChaosGateway } from './gateway.ts'
import { createRandom, seedFor } from './random.ts'
import type { CallRecord, Trespass } from './records.ts'
import { SERVERS, TENANTS } from './servers.ts'

/** Everybody who uses the gateway at once. */
export interface Crowd {
  readonly calls: CallRecord[]
  readonly trespasses: Trespass[]
  /** One token after the other, not all at once: so do people's clients. */
  renewTokens(by: 'idp' | 'gateway'): Promise<void>
  /** Until `stop`, each client takes one step after the other. */
  start(): void
  /** Settles when the last call under way has ended, and sessions are closed. */
  stop(): Promise<void>
  /** A client of its own for a last look at everything, by the first principal of a tenant. */
  visitor(tenant: string): ChaosClient
}

interface Principal {
  readonly tenant: string
  readonly subject: string
  readonly canary: string
  readonly by: 'idp' | 'gateway'
  token: string
}

const SUBJECTS = ['ann', 'ben', 'cat', 'dan'] as const
/** Clients written by hand of each era, for each principal. */
const RAW_PER_ERA = 2
const RENEWAL_GAP_MS = 150

/** Nothing runs before `start`. */
export async function gatherCrowd(gateway: ChaosGateway, seed: number): Promise<Crowd> {
  const calls: CallRecord[] = []
  const trespasses: Trespass[] = []
  const sessions = createSessionBoard()
  const principals = await Promise.all(
    TENANTS.flatMap((tenant) =>
      SUBJECTS.map((subject) => createPrincipal(gateway, tenant, subject)),
    ),
  )
  const deskFor = (principal: Principal, era: Desk['era'], client: string): Desk => ({
    client,
    era,
    tenant: principal.tenant,
    canary: principal.canary,
    random: createRandom(seedFor(seed, client)),
    urls: gateway.urls,
    token: () => principal.token,
    record: (call) => void calls.push(call),
    recordTrespass: (trespass) => void trespasses.push(trespass),
    sessions,
  })

  const members: { readonly desk: Desk; readonly client: ChaosClient }[] = []
  function add(
    principal: Principal,
    era: Desk['era'],
    name: string,
    create: typeof createSdkClient,
  ) {
    const desk = deskFor(principal, era, `${principal.tenant}-${principal.subject}-${name}`)
    members.push({ desk, client: create(desk) })
  }
  for (const principal of principals) {
    for (let count = 1; count <= RAW_PER_ERA; count += 1) {
      add(principal, 'modern', `modern-${count}`, createModernClient)
      add(principal, 'legacy', `legacy-${count}`, createLegacyClient)
    }
    // The first of each tenant also uses the SDKs.
    if (principal.subject === SUBJECTS[0]) {
      add(principal, 'modern', 'sdk-v2', createSdkClient)
      add(principal, 'legacy', 'sdk-v1', createSdkClient)
    }
  }

  let isRunning = false
  let loops: Promise<void>[] = []
  async function loop({ desk, client }: (typeof members)[number]): Promise<void> {
    const servers = SERVERS.map(({ name }) => name)
    while (isRunning) {
      const { era, random, urls } = desk
      const step = nextStep(random, { servers, era, isolates: urls.length })
      await client.take(step)
      await new Promise((resolve) => setTimeout(resolve, step.pauseMs))
    }
    await client.close()
  }

  return {
    calls,
    trespasses,
    async renewTokens(by) {
      for (const principal of principals.filter((one) => one.by === by)) {
        principal.token = await gateway.token(principal.tenant, principal.subject, by)
        if (by === 'idp') await new Promise((resolve) => setTimeout(resolve, RENEWAL_GAP_MS))
      }
    },
    start() {
      isRunning = true
      loops = members.map(loop)
    },
    async stop() {
      isRunning = false
      await Promise.all(loops)
    },
    visitor(tenant) {
      const principal = principals.find((one) => one.tenant === tenant)
      if (!principal) throw new Error(`nobody is of ${tenant}`)
      return createModernClient(deskFor(principal, 'modern', `${tenant}-visitor`))
    },
  }
}

async function createPrincipal(
  gateway: ChaosGateway,
  tenant: string,
  subject: string,
): Promise<Principal> {
  const by = subject === SUBJECTS.at(-1) ? 'gateway' : 'idp'
  const token = await gateway.token(tenant, subject, by)
  return { tenant, subject, by, token, canary: `canary-${tenant}-${subject}` }
}
