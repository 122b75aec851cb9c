import { describe, expect, it } from 'vitest'
import { createGateway } from './gateway.ts'

const { app } = createGateway('registry-openapi')
const document = app.getOpenAPI31Document({
  openapi: '3.1.0',
  info: { title: 'test', version: '1' },
})

interface Operation {
  readonly requestBody?: object
  readonly responses: object
}

describe('the OpenAPI document', () => {
  it('has every route with its bearer token', () => {
    const operations = Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method} ${path}`),
    )
    expect(operations.sort()).toEqual([
      'delete /limits/{id}',
      'delete /servers/{path}',
      'delete /virtual-servers/{path}',
      'get /limits',
      'get /limits/usage',
      'get /limits/{id}',
      'get /me',
      'get /policy',
      'get /servers',
      'get /servers/{path}',
      'get /servers/{path}/health',
      'get /servers/{path}/tools',
      'get /services',
      'get /services/{id}',
      'get /services/{id}/health',
      'get /virtual-servers',
      'get /virtual-servers/{path}',
      'patch /limits/{id}',
      'patch /servers/{path}',
      'patch /virtual-servers/{path}',
      'post /limits',
      'post /servers',
      'post /servers/{path}/refresh',
      'post /servers/{path}/toggle',
      'post /virtual-servers',
      'post /virtual-servers/{path}/repin',
      'post /virtual-servers/{path}/toggle',
      'put /limits/{id}',
      'put /policy',
      'put /servers/{path}',
      'put /virtual-servers/{path}',
    ])
    expect(document.paths?.['/servers']?.post?.security).toEqual([{ bearer: [] }])
    expect(document.components?.securitySchemes).toMatchObject({ bearer: { scheme: 'bearer' } })
  })

  it('says how a body is refused where one is read', () => {
    for (const [path, item] of Object.entries(document.paths ?? {})) {
      for (const [method, operation] of Object.entries(item as Record<string, Operation>)) {
        if (!operation.requestBody) continue
        const answers = Object.keys(operation.responses)
        expect(answers, `${method} ${path}`).toEqual(expect.arrayContaining(['408', '413', '415']))
      }
    }
  })

  it('names its schemas, and follows them to the bounds', () => {
    expect(Object.keys(document.components?.schemas ?? {})).toEqual(
      expect.arrayContaining([
        ...['Problem', 'Server', 'ServerInput', 'ServerPage', 'ServerPatch', 'Service'],
        ...['ServiceHealth', 'ServicePage', 'VirtualServer', 'VirtualServerInput'],
        ...['VirtualServerPage', 'VirtualServerPatch'],
      ]),
    )
    expect(document.components?.schemas?.['VirtualServerInput']).toMatchObject({
      additionalProperties: false,
      required: ['path', 'name'],
      properties: {
        tools: {
          maxItems: 500,
          items: {
            required: ['server', 'name'],
            properties: { as: { pattern: '^[A-Za-z0-9_.-]{1,64}$' } },
          },
        },
      },
    })
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
