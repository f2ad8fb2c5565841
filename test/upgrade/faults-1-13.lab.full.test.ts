// limit: 1200 s
import { test } from 'uvu'
import { faultRows } from '../support/fault-rows.ts'

for (const { title, run } of faultRows('1.13')) test(title, run)

test.run()
