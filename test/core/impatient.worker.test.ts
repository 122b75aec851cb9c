import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { impatientD1, impatientStub, within } from '../../src/core/index.ts'

const never = (): Promise<never> => new Promise(() => undefined)
const PATIENCE = { readMs: 20, writeMs: 40 }

describe('what may hang', () => {
  it('gives what it comes to in time', async () => {
    expect(await within(1_000, 'it', Promise.resolve(1))).toBe(1)
    await expect(within(1_000, 'it', Promise.reject(new Error('down')))).rejects.toThrow('down')
  })

  it('fails when its time is over', async () => {
    await expect(within(10, 'it', never())).rejects.toThrow('it did not answer within 10 ms')
  })
})

describe('an impatient stub', () => {
  it('rejects calls that hang, and leaves alone those that wait for somebody else', async () => {
    const stub = { lease: never, open: () => within(60, 'the handshake', never()), name: 'x' }
    const impatient = impatientStub(stub, 10, ['open'])
    expect(impatient.name).toBe('x')
    await expect(impatient.lease()).rejects.toThrow("the object's lease did not answer")
    await expect(impatient.open()).rejects.toThrow('the handshake did not answer within 60 ms')
  })

  it('calls a real object', async () => {
    const stub = impatientStub(env.BREAKERS.getByName('impatient'), 5_000)
    expect(await stub.phase({ now: 1 })).toBe('closed')
  })
})

describe('an impatient D1', () => {
  it('reads and writes as D1 does, one by one and in batches', async () => {
    const d1 = impatientD1(env.DB, { readMs: 5_000, writeMs: 5_000 })
    await d1.prepare('create table if not exists impatient (a integer, b text)').run()
    const insert = d1.prepare('insert into impatient values (?, ?)')
    await d1.batch([insert.bind(1, 'one'), insert.bind(2, 'two')])
    const select = d1.prepare('select a, b from impatient where a = ?')
    expect(await select.bind(2).first()).toEqual({ a: 2, b: 'two' })
    expect(await select.bind(2).first('b')).toBe('two')
    expect(await select.bind(1).raw()).toEqual([[1, 'one']])
    expect((await select.bind(1).all()).results).toEqual([{ a: 1, b: 'one' }])
    const [rows] = await d1.batch([select.bind(1)])
    expect(rows?.results).toEqual([{ a: 1, b: 'one' }])
    await d1.exec('drop table impatient')
  })

  it('fails when it hangs: a read sooner than a write', async () => {
    const hanging = {
      prepare: () => {
        const statement = { bind: () => statement, all: never, run: never, raw: never }
        return statement
      },
      batch: never,
    } as unknown as D1Database
    const d1 = impatientD1(hanging, PATIENCE)
    const read = d1.prepare('select 1').bind()
    const write = d1.prepare('insert into x values (1)')
    await expect(read.all()).rejects.toThrow('within 20 ms')
    await expect(read.raw()).rejects.toThrow('within 20 ms')
    await expect(d1.batch([read, read])).rejects.toThrow('within 20 ms')
    await expect(write.run()).rejects.toThrow('within 40 ms')
    await expect(d1.batch([read, write])).rejects.toThrow('within 40 ms')
  })
})
