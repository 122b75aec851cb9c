import { createJsonEditor, type JsonRule } from './json-editor.ts'

/** Replaces one value of a JSON text, by the members that lead to it; every other byte stays. */
export function replaceMember(text: string, at: readonly string[], value: string): string {
  const leaf: JsonRule = { replace: () => value }
  const rule = at.reduceRight<JsonRule>((inner, member) => ({ members: { [member]: inner } }), leaf)
  const editor = createJsonEditor(rule)
  const decoder = new TextDecoder()
  const head = editor.write(new TextEncoder().encode(text))
  return decoder.decode(head, { stream: true }) + decoder.decode(editor.end())
}
