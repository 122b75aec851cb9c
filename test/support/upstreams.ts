import type { TestProject } from 'vitest/node'
import { startLinkServers } from './link-servers.ts'
import { startModernServer } from './modern-server.ts'
import { startEverything } from './processes.ts'
import { startScriptedServer } from './scripted-server.ts'
import { startTellingServer } from './telling-server.ts'

declare module 'vitest' {
  interface ProvidedContext {
    modernUrl: string
    everythingUrl: string
    scriptedOrigin: string
    tellingOrigin: string
    linkOrigin: string
  }
}

/** Real upstreams for the flows, in Node; the tests run in workerd and reach them over loopback. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const modern = await startModernServer()
  const scripted = await startScriptedServer()
  const telling = await startTellingServer()
  const links = await startLinkServers()
  const everything = await startEverything()
  project.provide('modernUrl', modern.url)
  project.provide('scriptedOrigin', scripted.origin)
  project.provide('tellingOrigin', telling.origin)
  project.provide('linkOrigin', links.origin)
  project.provide('everythingUrl', everything.url)
  return async () => {
    const started = [modern, scripted, telling, links, everything]
    await Promise.all(started.map((one) => one.stop()))
  }
}
