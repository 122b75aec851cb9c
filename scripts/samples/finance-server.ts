import { McpServer } from '@modelcontextprotocol/server'
import { z } from 'zod'
import data from './finance-data.json' with { type: 'json' }
import { serveSample } from './serve.ts'

/** The `fininfo` sample: stock aggregates from a small file of invented data. */

const Bar = z.object({
  date: z.string(),
  open: z.number(),
  high: z.number(),
  low: z.number(),
  close: z.number(),
  volume: z.number().int(),
})
type Bar = z.infer<typeof Bar>

const tickers: ReadonlyMap<string, { readonly name: string; readonly bars: readonly Bar[] }> =
  new Map(
    Object.entries(data.tickers).map(([ticker, { name, rows }]) => [
      ticker,
      { name, bars: rows.map(barOf) },
    ]),
  )
const TICKER_LIST = [...tickers.keys()].join(', ')

const Ticker = z
  .string()
  .transform((text) => text.toUpperCase())
  .refine((text) => tickers.has(text), `is not in the sample data, which has ${TICKER_LIST}`)
  .describe(`A ticker of the sample data: ${TICKER_LIST}`)

const IsoDate = z
  .string()
  .regex(/^\d{4}-\d\d-\d\d$/, 'must be YYYY-MM-DD')
  .describe('YYYY-MM-DD')

const READ_ONLY = {
  readOnlyHint: true,
  destructiveHint: false,
  idempotentHint: true,
  openWorldHint: false,
}

function createFinanceServer(): McpServer {
  const server = new McpServer({ name: 'fininfo', version: '1.0.0' })

  server.registerTool(
    'get_stock_aggregates',
    {
      title: 'Stock aggregates',
      description: `Daily open, high, low, close and volume of a ticker. ${data.notice}`,
      inputSchema: z.object({
        stock_ticker: Ticker,
        from_date: IsoDate.optional(),
        to_date: IsoDate.optional(),
        sort: z.enum(['asc', 'desc']).default('asc'),
        limit: z.number().int().min(1).max(500).default(10),
      }),
      outputSchema: z.object({
        notice: z.string(),
        ticker: z.string(),
        currency: z.string(),
        results: z.array(Bar),
      }),
      annotations: READ_ONLY,
    },
    ({ stock_ticker, ...range }) => {
      const structuredContent = {
        notice: data.notice,
        ticker: stock_ticker,
        currency: data.currency,
        results: barsIn(stock_ticker, range),
      }
      return {
        content: [{ type: 'text', text: JSON.stringify(structuredContent) }],
        structuredContent,
      }
    },
  )

  server.registerTool(
    'print_stock_data',
    {
      title: 'Stock table',
      description: `The last days of a ticker as a text table. ${data.notice}`,
      inputSchema: z.object({
        stock_ticker: Ticker,
        limit: z.number().int().min(1).max(500).default(5),
      }),
      annotations: READ_ONLY,
    },
    ({ stock_ticker, limit }) => ({
      content: [{ type: 'text', text: table(stock_ticker, limit) }],
    }),
  )

  server.registerResource(
    'tickers',
    'fininfo://tickers',
    { title: 'Tickers', description: data.notice, mimeType: 'application/json' },
    (uri) => ({
      contents: [{ uri: uri.href, mimeType: 'application/json', text: tickerDocument() }],
    }),
  )

  server.registerPrompt(
    'summarise_stock',
    {
      title: 'Summarise a stock',
      description: 'Asks for a short summary of how a ticker moved.',
      argsSchema: z.object({ stock_ticker: Ticker }),
    },
    ({ stock_ticker }) => ({
      messages: [
        {
          role: 'user',
          content: {
            type: 'text',
            text: `Call get_stock_aggregates for ${stock_ticker} and say in three sentences how it moved. ${data.notice}`,
          },
        },
      ],
    }),
  )
  return server
}

function barOf(row: readonly (string | number)[]): Bar {
  return Bar.parse(Object.fromEntries(data.columns.map((column, index) => [column, row[index]])))
}

interface Range {
  readonly from_date?: string | undefined
  readonly to_date?: string | undefined
  readonly sort: 'asc' | 'desc'
  readonly limit: number
}

function barsIn(ticker: string, { from_date, to_date, sort, limit }: Range): Bar[] {
  const bars = (tickers.get(ticker)?.bars ?? []).filter(
    ({ date }) => date >= (from_date ?? '') && date <= (to_date ?? '9999'),
  )
  return (sort === 'asc' ? bars : bars.toReversed()).slice(0, limit)
}

function table(ticker: string, limit: number): string {
  const rows = barsIn(ticker, { sort: 'desc', limit }).map((bar) =>
    [bar.date, bar.open, bar.high, bar.low, bar.close, bar.volume].join('\t'),
  )
  const title = `${ticker}, ${tickers.get(ticker)?.name}, ${data.currency}`
  return [data.notice, title, 'date\topen\thigh\tlow\tclose\tvolume', ...rows].join('\n')
}

function tickerDocument(): string {
  const list = [...tickers].map(([ticker, { name }]) => ({ ticker, name }))
  return JSON.stringify({ notice: data.notice, tickers: list })
}

serveSample(createFinanceServer)
