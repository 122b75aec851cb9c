import { McpServer } from '@modelcontextprotocol/server'
import { z } from 'zod'
import { serveSample } from './serve.ts'
import { formatInZone, instantOfWallTime, isTimeZone } from './zones.ts'

/** The `currenttime` sample: what time it is elsewhere. */

const TimeZone = z
  .string()
  .max(64)
  .refine(isTimeZone, 'is not an IANA time zone such as Europe/Zurich')
  .describe('An IANA time zone, such as Europe/Zurich')

const WallTime = z
  .string()
  .regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be HH:MM, 00:00 to 23:59')
  .describe('A time of day as HH:MM, 24 hours')

const ZonedTime = z.object({
  timezone: z.string(),
  datetime: z.string().describe('RFC 3339, with the offset of the zone'),
})

const READ_ONLY = {
  readOnlyHint: true,
  destructiveHint: false,
  idempotentHint: true,
  openWorldHint: false,
}

function createTimeServer(): McpServer {
  const server = new McpServer({ name: 'currenttime', version: '1.0.0' })

  server.registerTool(
    'current_time_by_timezone',
    {
      title: 'Current time',
      description: 'The current date and time in a time zone.',
      inputSchema: z.object({ tz_name: TimeZone.default('America/New_York') }),
      outputSchema: ZonedTime,
      annotations: READ_ONLY,
    },
    ({ tz_name }) => result({ timezone: tz_name, datetime: formatInZone(Date.now(), tz_name) }),
  )

  server.registerTool(
    'convert_time',
    {
      title: 'Convert a time',
      description:
        'What clocks show in one time zone when they show a given time in another today.',
      inputSchema: z.object({
        source_timezone: TimeZone,
        time: WallTime,
        target_timezone: TimeZone,
      }),
      outputSchema: z.object({ source: ZonedTime, target: ZonedTime }),
      annotations: READ_ONLY,
    },
    ({ source_timezone, time, target_timezone }) => {
      const instant = instantOfWallTime(time, source_timezone, Date.now())
      const zoned = (timezone: string) => ({ timezone, datetime: formatInZone(instant, timezone) })
      return result({ source: zoned(source_timezone), target: zoned(target_timezone) })
    },
  )
  return server
}

function result<T extends Record<string, unknown>>(structuredContent: T) {
  return {
    content: [{ type: 'text' as const, text: JSON.stringify(structuredContent) }],
    structuredContent,
  }
}

serveSample(createTimeServer)
