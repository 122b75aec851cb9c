import { describe, expect, it } from 'vitest'
import {
  type Check,
  type Outcome,
  problemsOf,
  type Row,
  type Side,
} from '../../scripts/conformance/checks.ts'
import { countRows, reportText } from '../../scripts/conformance/report.ts'

const BOTH: readonly Side[] = ['direct', 'through']

describe('the verdict on a scenario', () => {
  it('finds nothing wrong when every check passes on both sides', () => {
    expect(
      problemsOf(row({ direct: ['SUCCESS', 'INFO'], through: ['SUCCESS', 'INFO'] }), BOTH),
    ).toEqual([])
  })

  it('fails a scenario that was not run on a side that was asked for', () => {
    const notRun = row({ direct: ['SUCCESS'] })
    expect(problemsOf(notRun, BOTH)).toEqual(['through: was not run'])
    expect(problemsOf(notRun, ['direct'])).toEqual([])
  })

  it('fails on a failed check, with the reason and what was seen', () => {
    const found: Outcome = {
      checks: [
        {
          id: 'ping',
          name: 'Ping',
          status: 'FAILURE',
          errorMessage: 'no answer',
          details: { status: 500 },
        },
      ],
    }
    const failed: Row = { ...row({ direct: ['SUCCESS'] }), outcomes: { direct: found } }
    expect(problemsOf(failed, ['direct'])).toEqual(['direct: Ping: no answer {"status":500}'])
  })

  it('fails on a warning about a client, as the suite does, and not on one about a server', () => {
    const outcomes = { direct: ['SUCCESS', 'WARNING'] } as const
    expect(problemsOf(row(outcomes), ['direct'])).toEqual([])
    expect(problemsOf({ ...row(outcomes), leg: 'client' }, ['direct'])).toHaveLength(1)
  })

  it.each(['WARNING', 'SKIPPED', 'INFO'] as const)(
    'fails when a check passes directly and gives %s through the gateway',
    (status) => {
      const weaker = row({ direct: ['SUCCESS', 'SUCCESS'], through: ['SUCCESS', status] })
      expect(problemsOf(weaker, BOTH)).toEqual([
        'through: check-1 Check1 passes directly, and does not pass here',
      ])
    },
  )

  it('fails a run in which nothing was checked', () => {
    expect(problemsOf(row({ direct: ['SKIPPED'] }), ['direct'])).toEqual([
      'direct: checked nothing',
    ])
  })

  it('fails a client that ended with an error although its checks pass', () => {
    const passed = row({ direct: ['SUCCESS'] })
    const broken: Row = {
      ...passed,
      outcomes: {
        direct: { checks: checks(['SUCCESS']), broken: 'the run ended with exit code 1' },
      },
    }
    expect(problemsOf(broken, ['direct'])).toEqual(['direct: the run ended with exit code 1'])
  })
})

describe('the report', () => {
  const rows = [
    row({ direct: ['SUCCESS', 'SUCCESS'], through: ['SUCCESS', 'SUCCESS'] }),
    row({ direct: ['SUCCESS'], through: ['FAILURE', 'WARNING'] }, 'tools-list'),
    { ...row({ direct: ['SUCCESS'] }, 'sse-retry'), leg: 'client' as const },
  ]

  it('shows one table per revision and leg, with totals and what is wrong below', () => {
    expect(reportText(rows, BOTH).split('\n')).toEqual([
      '  2025-11-25, server scenarios    direct        through',
      '✓ ping                            2/2           2/2',
      '✗ tools-list                      1/1           0/1 (1 warn)',
      '  2 scenarios                     3/3           2/3 (1 warn)',
      '  tools-list, through: Check0: it is so {}',
      '',
      '  2025-11-25, client scenarios    direct        through',
      '✗ sse-retry                       1/1           not run',
      '  1 scenarios                     1/1           0/0',
      '  sse-retry, through: was not run',
    ])
  })

  it('counts each scenario once', () => {
    expect(countRows(rows, BOTH)).toEqual({ passed: 1, failed: 2 })
    expect(countRows(rows, ['direct'])).toEqual({ passed: 3, failed: 0 })
  })
})

function row(
  statuses: Readonly<Partial<Record<Side, readonly Check['status'][]>>>,
  scenario = 'ping',
): Row {
  const { direct, through } = statuses
  return {
    revision: '2025-11-25',
    leg: 'server',
    scenario,
    outcomes: {
      ...(direct ? { direct: { checks: checks(direct) } } : {}),
      ...(through ? { through: { checks: checks(through) } } : {}),
    },
  }
}

function checks(statuses: readonly Check['status'][]): Check[] {
  return statuses.map((status, index) => ({
    id: `check-${index}`,
    name: `Check${index}`,
    status,
    errorMessage: 'it is so',
    details: {},
  }))
}
