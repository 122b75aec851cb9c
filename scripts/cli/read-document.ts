import { readFile } from 'node:fs/promises'
import { parse as parseYaml } from 'yaml'
import { MisuseError } from './errors.ts'

/** A JSON or YAML file, whose parser reads both. Misuse when there is none, or it is neither. */
export async function readDocument(file: string): Promise<unknown> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new MisuseError(`cannot read ${file}: ${error.code ?? error.message}`)
  })
  try {
    return parseYaml(text)
  } catch (error) {
    throw new MisuseError(`${file} is neither JSON nor YAML: ${String(error)}`)
  }
}
