/**
 * One message that changes eras: it is read as a whole, in an isolate of 128 MB that has others to
 * serve. A file of 6 MB fits in base64.
 */
export const MAX_BRIDGED_BYTES = 8 * 1024 * 1024
