/**
 * Preloaded (`node --import`) into every process that we start: the end of its stdin, which is the
 * end of the process that holds the other side, ends it. So nothing outlives even a SIGKILL.
 */
process.stdin.on('end', () => process.exit(0)).resume()
// It watches; it does not keep a process alive that has finished its work.
if ('unref' in process.stdin) process.stdin.unref()
