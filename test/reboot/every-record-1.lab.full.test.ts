// limit: 900 s
import { test } from 'uvu'
import { killAfterEveryRecord } from '../support/every-record.ts'

test('a reboot is finished by the same command, killed after every third record of its journal from the 1. on', () =>
  killAfterEveryRecord('reboot', { first: 1, of: 3 }))

test.run()
