import { cloudflareTest, readD1Migrations } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'

/**
 * unit: pure files, on Node.  worker: one room in workerd with real D1 and Durable Objects.
 * flows: the whole Worker in workerd against real upstream processes.
 * e2e: the built bundle on a bare workerd, real clients, servers and identity provider.
 */
const workerd = () =>
  cloudflareTest(async () => ({
    remoteBindings: false,
    wrangler: { configPath: './wrangler.toml' },
    miniflare: {
      bindings: {
        TEST_MIGRATIONS: await readD1Migrations('./migrations'),
        // For the objects, which src/index.ts wires; tests wire the rest by themselves.
        GATEHOUSE_SECRET: 'objects-objects-objects-objects-objects-objects',
        PRIVATE_UPSTREAMS: '127.0.0.1',
      },
    },
  }))

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.unit.test.ts'],
          setupFiles: ['./test/support/seeded-properties.ts'],
          environment: 'node',
          // The CLI's run processes of their own.
          testTimeout: 30_000,
        },
      },
      {
        plugins: [workerd()],
        test: {
          name: 'worker',
          include: ['test/**/*.worker.test.ts'],
          setupFiles: ['./test/support/apply-migrations.ts'],
          // Nothing here is a measurement: a machine that has others to serve takes its time.
          testTimeout: 30_000,
          hookTimeout: 60_000,
          // One workerd and one storage for all files, one file after the other.
          isolate: false,
          fileParallelism: false,
        },
      },
      {
        plugins: [workerd()],
        test: {
          name: 'flows',
          include: ['test/flows/**/*.flow.test.ts'],
          setupFiles: ['./test/support/apply-migrations.ts'],
          globalSetup: ['./test/support/upstreams.ts'],
          testTimeout: 30_000,
          hookTimeout: 60_000,
          isolate: false,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.e2e.test.ts'],
          globalSetup: ['./test/e2e/build-bundle.ts'],
          environment: 'node',
          testTimeout: 60_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
})
