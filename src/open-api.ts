/** What the OpenAPI document says of the whole; its routes follow from their schemas. */
export const openApi = (publicUrl: string) => ({
  openapi: '3.1.0',
  info: {
    title: 'Gatehouse management API',
    version: '1',
    description: 'Errors are RFC 9457 problem documents with a stable `code` and a `requestId`.',
  },
  servers: [{ url: `${publicUrl}/api/v1` }],
})
