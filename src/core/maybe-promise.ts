/**
 * What is mostly there at once, and has to be waited for now and then. Who gives one throws at once
 * or rejects: `await` it within a `try`. Never what is thenable and no `Promise`, as stubs of objects
 * give it.
 */
export type MaybePromise<T> = T | Promise<T>

/**
 * Goes on at once where nothing is waited for: an `await` that waits for nothing leaves more to
 * collect than most of what a call does between two of them. Not named `then`: a module that exports
 * one is taken for a promise by `import()`.
 */
export function andThen<T, U>(
  value: MaybePromise<T>,
  next: (value: T) => MaybePromise<U>,
): MaybePromise<U> {
  return value instanceof Promise ? value.then(next) : next(value)
}
