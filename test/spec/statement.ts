/** One of the 25 statements about what a gateway must do, and what it is taken apart into. */
export interface Statement {
  readonly statement: number
  /** Where it was learned: a section of the specification, or issues of other projects. */
  readonly source: string
  /** By id: what must hold. */
  readonly requirements: Readonly<Record<string, string>>
}
