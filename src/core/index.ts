/** Rank 0: the words every other room uses. */
export { type PrivateHosts, parsePrivateHosts, upstreamUrlProblem } from './address.ts'
export { fromBase64Url, toBase64Url } from './base64url.ts'
export { setBounded } from './bounded.ts'
export { contentLength } from './content-length.ts'
export {
  type CallContext,
  type Caller,
  type Clock,
  callerFacts,
  endsItsRequest,
  type Random,
  type RateLimitNote,
  type RequestFacts,
  systemClock,
  systemRandom,
} from './context.ts'
export { createDeadline } from './create-deadline.ts'
export { type Deadline, leaveDeadline, takeDeadline } from './deadline.ts'
export { canonicalJson, fnv1a, isPlainObject, sha256Hex } from './digest.ts'
export { createDohResolver } from './doh.ts'
export {
  ERROR_WIRE,
  type ErrorCode,
  GatewayError,
  retryIn,
  toGatewayError,
} from './errors.ts'
export {
  type FreshnessConfig,
  freshnessOf,
  mayServeStale,
  mayStartConfirm,
  REVOCABLE,
} from './freshness.ts'
export { createHostVerdicts, type HostVerdicts } from './host-verdicts.ts'
export {
  EndpointId,
  isServerPath,
  RESERVED_PATHS,
  requestIdFrom,
  ServerId,
  ServerPath,
  TenantId,
} from './ids.ts'
export { impatientD1, impatientStub, within } from './impatient.ts'
export { createLayoutKeeper } from './kept-layouts.ts'
export { andThen, type MaybePromise } from './maybe-promise.ts'
export { mediaType } from './media-type.ts'
export {
  countWaiting,
  createOutbound,
  type Fetcher,
  OUTBOUND_FAULTS,
  type Outbound,
  type OutboundFault,
  type OutboundRequest,
  type OutboundResult,
} from './outbound.ts'
export { type InputProblem, invalidInput, parseInput } from './parse-input.ts'
export { type Principal, principalKey } from './principal.ts'
export { readBounded, textAsSent } from './read-text.ts'
export { type Span, scanJson, stringEnd } from './scan-json.ts'
export { createSealer, MAX_SEALED_CHARS, type Sealer, type SealPurpose } from './seal.ts'
