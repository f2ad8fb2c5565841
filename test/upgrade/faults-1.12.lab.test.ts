// limit: 600 s
import { upgradeFaults } from '../support/upgrade-faults.ts'

upgradeFaults('1.12').run()
