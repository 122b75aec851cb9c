/** One of the 25 statements about what a gateway must do, and what it is taken apart into. */
export interface Statement {
  readonly statement: number
  /** Where it was learned: a section of the specification, or issues of other projects. */
  readonly source: string
  /** Proven today: id and what must hold. */
  readonly now: Readonly<Record<string, string>>
  /** Proven with bridging and change notices. */
  readonly later?: Readonly<Record<string, string>>
}
