/** Rank 2: who is calling. */
export { challenge } from './challenge.ts'
export { createIdentity, type Identity } from './identity.ts'
export { IssuerConfig } from './issuers.ts'
export { type OwnIssuer, SigningKeyJwk, signToken, type TokenClaims } from './own-issuer.ts'
export {
  protectedResourceMetadata,
  resourceMetadataUrl,
} from './resource-metadata.ts'
