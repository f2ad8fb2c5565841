// limit: 900 s
import { test } from 'uvu'
import { killAfterEveryRecord } from '../support/every-record.ts'

test('an upgrade is finished by the same command, killed after every third record of its journal from the 2. on', () =>
  killAfterEveryRecord('upgrade', { first: 2, of: 3 }))

test.run()
