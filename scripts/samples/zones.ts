/** Reading clocks in IANA time zones with nothing but Intl. Instants are epoch ms. */

/** True when the platform knows this IANA zone. */
export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: name })
    return true
  } catch {
    return false
  }
}

/** RFC 3339 with the zone's offset at that instant: `2026-03-01T09:30:00+01:00`. */
export function formatInZone(instant: number, zone: string): string {
  const offsetMinutes = offsetMs(instant, zone) / 60_000
  const wall = new Date(instant + offsetMinutes * 60_000).toISOString().slice(0, 19)
  const sign = offsetMinutes < 0 ? '-' : '+'
  const minutes = Math.abs(offsetMinutes)
  return `${wall}${sign}${twoDigits(minutes / 60)}:${twoDigits(minutes % 60)}`
}

/**
 * The instant at which clocks in `zone` show `time` (HH:MM) on the zone's date at `now`.
 * A time that daylight saving skips gives an instant within an hour of it.
 */
export function instantOfWallTime(time: string, zone: string, now: number): number {
  const date = formatInZone(now, zone).slice(0, 10)
  const wall = Date.parse(`${date}T${time}:00Z`)
  const guess = wall - offsetMs(wall, zone)
  return wall - offsetMs(guess, zone)
}

/** East of Greenwich is positive. */
function offsetMs(instant: number, zone: string): number {
  const parts = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  }).formatToParts(instant)
  const part = (type: Intl.DateTimeFormatPartTypes): number =>
    Number(parts.find((candidate) => candidate.type === type)?.value)
  const wall = Date.UTC(
    part('year'),
    part('month') - 1,
    part('day'),
    part('hour'),
    part('minute'),
    part('second'),
  )
  return wall - Math.floor(instant / 1000) * 1000
}

function twoDigits(value: number): string {
  return String(Math.floor(value)).padStart(2, '0')
}
