/** Rank 2: who is calling. */
export { type ChallengeError, challenge } from './challenge.ts'
export { createIdentity, type Identity, type IdentityDeps, type Resource } from './identity.ts'
export { IssuerConfig } from './issuers.ts'
export { type OwnIssuer, SigningKeyJwk, signToken, type TokenClaims } from './own-issuer.ts'
export type { RefusalReason } from './refusals.ts'
export {
  type ProtectedResourceMetadata,
  protectedResourceMetadata,
  resourceMetadataUrl,
} from './resource-metadata.ts'
