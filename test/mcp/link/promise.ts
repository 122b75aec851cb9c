/** Something that happens once. */
export function createPromise() {
  let isSettled = false
  return {
    settle: (): void => {
      isSettled = true
    },
    isSettled: () => isSettled,
  }
}
