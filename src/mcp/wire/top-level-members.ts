/**
 * Names of the members of a JSON object that begin in this part of it, which may be cut off
 * anywhere. Undefined when it does not begin as an object.
 */
export function topLevelMembers(text: string): string[] | undefined {
  if (!/^\s*\{/.test(text)) return undefined
  const names: string[] = []
  let depth = 0
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at]
    if (char === '{' || char === '[') depth += 1
    else if (char === '}' || char === ']') depth -= 1
    else if (char === '"') {
      const end = stringEnd(text, at)
      if (depth === 1 && /^\s*:/.test(text.slice(end, end + 16)))
        names.push(text.slice(at + 1, end - 1))
      at = end - 1
    }
  }
  return names
}

/** Index behind the closing quote; the length of the text when there is none. */
function stringEnd(text: string, open: number): number {
  for (let at = open + 1; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1
    else if (text[at] === '"') return at + 1
  }
  return text.length
}
