/** The bindings of wrangler.toml, and what vitest.config.ts adds, as tests see them. */
declare namespace Cloudflare {
  interface Env {
    DB: D1Database
    SESSIONS: DurableObjectNamespace<import('../../src/index.ts').SessionObject>
    LIMITERS: DurableObjectNamespace<import('../../src/index.ts').LimiterObject>
    BREAKERS: DurableObjectNamespace<import('../../src/index.ts').BreakerObject>
    PROBES: DurableObjectNamespace<import('../../src/index.ts').ProbeObject>
    BRIDGES: DurableObjectNamespace<import('../../src/index.ts').BridgeObject>
    CATALOGS: DurableObjectNamespace<import('../../src/index.ts').CatalogObject>
    WATCHES: DurableObjectNamespace<import('../../src/index.ts').WatchObject>
    EVENTS: DurableObjectNamespace<import('../../src/index.ts').EventsObject>
    LINKS: DurableObjectNamespace<import('../../src/index.ts').LinkObject>
    TEST_MIGRATIONS: import('cloudflare:test').D1Migration[]
  }
}
