/**
 * Places or finishes in a process of its own, which kills itself after so many operations on the disk:
 * `place-and-die.ts <outDir> <place|finish> <operations> [torn] < files.json`.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { comparePlaced } from '../../scripts/config/placing/compare-placed.ts'
import { finishPlacing } from '../../scripts/config/placing/finish-placing.ts'
import { place } from '../../scripts/config/placing/place.ts'
import { mortalDisk } from './mortal-disk.ts'

const [outDir = '', action, operations, torn] = process.argv.slice(2)
const places = { outDir, stateDir: join(outDir, '.run') }
const disk = mortalDisk(Number(operations), torn === 'torn', () => {
  process.kill(process.pid, 'SIGKILL')
  // the signal comes before this process runs on
  throw new Error('still alive')
})

if (action === 'finish') {
  finishPlacing(places, { disk })
} else {
  const files = JSON.parse(readFileSync(0, 'utf8')) as Record<string, string>
  const generated = new Map(Object.entries(files).map(([name, text]) => [name, Buffer.from(text)]))
  const compared = comparePlaced(places, generated)
  if (!compared.ok) throw new Error(JSON.stringify(compared.failure))
  const placed = place(places, generated, compared.value, { caFingerprint: 'ca' }, { discardEdits: false, disk })
  if (!placed.ok) throw new Error(JSON.stringify(placed.failure))
}
