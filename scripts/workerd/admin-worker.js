/**
 * Runs beside the Workers under test in the workerd harness, never in production.
 * POST /sql {binding, statements:[{sql, params}]}: one D1 batch, answers the rows of each.
 * POST /scheduled {service, cron, scheduledTime}: delivers a cron event, answers its outcome.
 */
export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url)
    const input = await request.json()
    try {
      if (pathname === '/sql') {
        const database = env[input.binding]
        const statements = input.statements.map(({ sql, params }) =>
          database.prepare(sql).bind(...params),
        )
        const results = await database.batch(statements)
        return Response.json(results.map(({ results: rows }) => rows))
      }
      if (pathname === '/scheduled') {
        const { cron, scheduledTime } = input
        return Response.json(
          await env[input.service].scheduled({ cron, scheduledTime: new Date(scheduledTime) }),
        )
      }
      return new Response('unknown path', { status: 404 })
    } catch (error) {
      return new Response(String(error), { status: 500 })
    }
  },
}
