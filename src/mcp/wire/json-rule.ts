/** What to do at one place of the document. Rules form a tree of member names. */
export interface JsonRule {
  /** Rules for the members of an object. */
  readonly members?: Readonly<Record<string, JsonRule>>
  /** For the elements of an array. */
  readonly elements?: JsonRule
  /** For an array: an element is kept when this holds for its raw JSON. Too large: dropped. */
  readonly keepElement?: (raw: string) => boolean
  /** For a value: what to write instead of its raw JSON. Too large: left as it is. */
  readonly replace?: (raw: string) => string
  /** It must never be left as it is: too large, the document is given up. */
  readonly mustReplace?: true
  /** For an object: members that it gets at its end where it has none of the name. Raw JSON. */
  readonly append?: Readonly<Record<string, () => string>>
}
