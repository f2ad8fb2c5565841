// limit: 900 s
import { test } from 'uvu'
import { killAfterEveryRecord } from '../support/every-record.ts'

test('an upgrade is finished by the same command, killed after every fifth record of its journal from the 3. on', () =>
  killAfterEveryRecord('upgrade', { first: 3, of: 5 }))

test.run()
