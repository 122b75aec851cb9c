/**
 * The text of a workerd configuration (Cap'n Proto). Pure: paths in, text out.
 * Paths are relative to the configuration file.
 */

/** One Worker with its own isolate and its own socket. */
export interface WorkerService {
  readonly name: string
  /** The first is the main module. Kind follows from the extension: `.wasm`, `.txt`, else ES module. */
  readonly modules: readonly { readonly name: string; readonly path: string }[]
  readonly compatibilityDate: string
  readonly compatibilityFlags: readonly string[]
  readonly vars: Readonly<Record<string, string>>
  readonly databases: readonly { readonly binding: string; readonly name: string }[]
  readonly objects: readonly { readonly binding: string; readonly className: string }[]
  /** The service that owns the objects; itself when absent. */
  readonly objectsOf?: string
  /** Of 127.0.0.1. */
  readonly port: number
}

/** Where D1 (miniflare's Workers) and the harness's own admin Worker are, and their port. */
export interface HarnessParts {
  readonly d1Entry: string
  readonly d1Database: string
  readonly miniflareShared: string
  readonly miniflareZod: string
  readonly adminWorker: string
  readonly adminPort: number
}

/** Services, the D1 they share, disks `do` and `d1`, and the admin Worker bound to all of it. */
export function workerdConfig(
  services: readonly WorkerService[],
  parts: HarnessParts,
  v8Flags: readonly string[] = [],
): string {
  const databases = uniqueDatabases(services)
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  v8Flags = [${v8Flags.map(text).join(', ')}],
  services = [
    ${[
      ...services.map(serviceText),
      adminText(services, databases, parts),
      ...d1Text(parts),
      `(name = "do-disk", disk = (path = "do", writable = true))`,
      `(name = "d1-disk", disk = (path = "d1", writable = true))`,
      `(name = "internet", network = (allow = ["public", "private"]))`,
    ].join(',\n    ')}
  ],
  sockets = [
    ${[...services.map((service) => socketText(service.name, service.port)), socketText('admin', parts.adminPort)].join(',\n    ')}
  ],
  extensions = [(modules = [
    (name = "miniflare:shared", esModule = embed ${text(parts.miniflareShared)}),
    (name = "miniflare:zod", esModule = embed ${text(parts.miniflareZod)})
  ])]
);
`
}

function serviceText(service: WorkerService): string {
  const owner = service.objectsOf ?? service.name
  const owns = owner === service.name
  const bindings = [
    ...Object.entries(service.vars).map(
      ([name, value]) => `(name = ${text(name)}, text = ${text(value)})`,
    ),
    ...service.databases.map(databaseText),
    ...service.objects.map(
      ({ binding, className }) =>
        `(name = ${text(binding)}, durableObjectNamespace = (className = ${text(className)}, serviceName = ${text(owner)}))`,
    ),
  ]
  const namespaces = service.objects.map(
    ({ className }) =>
      `(className = ${text(className)}, uniqueKey = ${text(`gatehouse-${className}`)}, enableSql = true)`,
  )
  return `(name = ${text(service.name)}, worker = (
      modules = [${service.modules.map(moduleText).join(', ')}],
      compatibilityDate = ${text(service.compatibilityDate)},
      compatibilityFlags = [${service.compatibilityFlags.map(text).join(', ')}],
      bindings = [${bindings.join(', ')}],
      globalOutbound = "internet"${
        owns && namespaces.length > 0
          ? `,\n      durableObjectNamespaces = [${namespaces.join(', ')}],\n      durableObjectStorage = (localDisk = "do-disk")`
          : ''
      }))`
}

function moduleText({ name, path }: { name: string; path: string }): string {
  const kind = name.endsWith('.wasm') ? 'wasm' : name.endsWith('.txt') ? 'text' : 'esModule'
  return `(name = ${text(name)}, ${kind} = embed ${text(path)})`
}

function databaseText({ binding, name }: { binding: string; name: string }): string {
  const props = text(JSON.stringify({ MINIFLARE_NAMESPACE: name }))
  return `(name = ${text(binding)}, wrapped = (moduleName = "cloudflare-internal:d1-api", innerBindings = [(name = "fetcher", service = (name = "d1-entry", props = (json = ${props})))]))`
}

/** The one Worker that only this harness has: SQL for migrations, and `scheduled` events. */
function adminText(
  services: readonly WorkerService[],
  databases: WorkerService['databases'],
  parts: HarnessParts,
): string {
  const bindings = [
    ...databases.map(databaseText),
    ...services.map(({ name }) => `(name = ${text(name)}, service = ${text(name)})`),
  ]
  return `(name = "admin", worker = (
      modules = [(name = "admin.js", esModule = embed ${text(parts.adminWorker)})],
      compatibilityDate = "2026-01-01",
      compatibilityFlags = ["experimental", "service_binding_extra_handlers"],
      bindings = [${bindings.join(', ')}]))`
}

function d1Text(parts: HarnessParts): string[] {
  return [
    `(name = "d1-entry", worker = (
      modules = [(name = "entry.js", esModule = embed ${text(parts.d1Entry)})],
      compatibilityDate = "2023-07-24", compatibilityFlags = ["enhanced_error_serialization"],
      bindings = [(name = "MINIFLARE_OBJECT", durableObjectNamespace = (className = "D1DatabaseObject", serviceName = "d1-db"))]))`,
    `(name = "d1-db", worker = (
      modules = [(name = "database.js", esModule = embed ${text(parts.d1Database)})],
      compatibilityDate = "2023-07-24", compatibilityFlags = ["nodejs_compat", "experimental"],
      durableObjectNamespaces = [(className = "D1DatabaseObject", uniqueKey = "miniflare-D1DatabaseObject", enableSql = true)],
      durableObjectStorage = (localDisk = "d1-disk"),
      bindings = [(name = "MINIFLARE_BLOBS", service = "d1-disk")]))`,
  ]
}

function socketText(service: string, port: number): string {
  return `(name = ${text(service)}, address = "127.0.0.1:${port}", http = (), service = ${text(service)})`
}

function uniqueDatabases(services: readonly WorkerService[]): WorkerService['databases'] {
  const byBinding = new Map(
    services.flatMap(({ databases }) => databases.map((database) => [database.binding, database])),
  )
  return [...byBinding.values()]
}

/** A Cap'n Proto string literal: like C's, control characters as \\xHH. */
function text(value: string): string {
  const escaped = value.replaceAll(/["\\]/g, '\\$&').replaceAll(/\p{Cc}/gu, hexEscape)
  return `"${escaped}"`
}

function hexEscape(character: string): string {
  return [...new TextEncoder().encode(character)]
    .map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`)
    .join('')
}
