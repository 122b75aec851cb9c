import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Runs one batch of SQL and gives the rows of each statement. */
export type RunSql = (
  statements: readonly { readonly sql: string; readonly params: readonly unknown[] }[],
) => Promise<readonly (readonly Record<string, unknown>[])[]>

/** Separates the statements of a migration that drizzle-kit wrote. */
const BREAKPOINT = '--> statement-breakpoint'

/** Applies the `.sql` files that the database has not seen, in order, noting each in its batch. */
export async function applyMigrations(directory: string, runSql: RunSql): Promise<string[]> {
  const files = (await readdir(directory)).filter((name) => name.endsWith('.sql')).sort()
  const [, applied = []] = await runSql([
    plain(
      'CREATE TABLE IF NOT EXISTS d1_migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)',
    ),
    plain('SELECT name FROM d1_migrations'),
  ])
  const known = new Set(applied.map((row) => row['name']))
  const missing = files.filter((name) => !known.has(name))
  for (const name of missing) {
    const source = await readFile(join(directory, name), 'utf8')
    const statements = splitStatements(source)
    await runSql([
      ...statements.map(plain),
      { sql: 'INSERT INTO d1_migrations (name) VALUES (?)', params: [name] },
    ])
  }
  return missing
}

function plain(sql: string) {
  return { sql, params: [] }
}

/** By drizzle's breakpoints. A hand-written file without any counts as one statement per `;` line. */
function splitStatements(source: string): string[] {
  const parts = source.includes(BREAKPOINT) ? source.split(BREAKPOINT) : source.split(/;\s*$/m)
  return parts.map((part) => part.trim()).filter((part) => /[^\s;]/.test(withoutComments(part)))
}

function withoutComments(sql: string): string {
  return sql.replaceAll(/--.*$/gm, '')
}
