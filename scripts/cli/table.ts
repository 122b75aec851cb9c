/** Columns as wide as their widest cell, two spaces between. Numbers are text like the rest. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  // What others wrote must not move the cursor, nor break a row.
  const lines = [head, ...rows].map((row) => row.map((cell) => cell.replaceAll(/\p{Cc}/gu, ' ')))
  const widths = head.map((title, column) =>
    Math.max(title.length, ...lines.map((row) => row[column]?.length ?? 0)),
  )
  return lines
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
