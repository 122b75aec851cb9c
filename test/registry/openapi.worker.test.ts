import { describe, expect, it } from 'vitest'
import { createGateway } from './gateway.ts'

const { app } = createGateway('registry-openapi')
const document = app.getOpenAPI31Document({
  openapi: '3.1.0',
  info: { title: 'test', version: '1' },
})

describe('the OpenAPI document', () => {
  it('has every route with its bearer token', () => {
    const operations = Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method} ${path}`),
    )
    expect(operations.sort()).toEqual([
      'delete /servers/{path}',
      'get /me',
      'get /policy',
      'get /servers',
      'get /servers/{path}',
      'get /servers/{path}/health',
      'get /servers/{path}/tools',
      'patch /servers/{path}',
      'post /servers',
      'post /servers/{path}/refresh',
      'post /servers/{path}/toggle',
      'put /policy',
      'put /servers/{path}',
    ])
    expect(document.paths?.['/servers']?.post?.security).toEqual([{ bearer: [] }])
    expect(document.components?.securitySchemes).toMatchObject({ bearer: { scheme: 'bearer' } })
  })

  it('names its schemas, and follows them to the bounds', () => {
    expect(Object.keys(document.components?.schemas ?? {})).toEqual(
      expect.arrayContaining(['Problem', 'Server', 'ServerInput', 'ServerPage', 'ServerPatch']),
    )
    expect(document.components?.schemas?.['ServerInput']).toMatchObject({
      type: 'object',
      additionalProperties: false,
      required: ['path', 'name', 'endpoints'],
      properties: {
        timeoutMs: { type: 'integer', minimum: 1000, maximum: 300_000, default: 30_000 },
        endpoints: { type: 'array', minItems: 1, maxItems: 10 },
      },
    })
    expect(document.paths?.['/servers']?.post?.requestBody).toMatchObject({
      content: {
        'application/json': { schema: { $ref: '#/components/schemas/ServerInput' } },
      },
    })
  })
})
