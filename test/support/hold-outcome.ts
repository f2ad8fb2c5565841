/**
 * Loaded before a workflow (`--import`), it stops the process right before it writes the outcome of a step: for good, or
 * until the file GO_ON is there. HOLD_OUTCOME_OF names the step. Whatever the step has done by then is done, and the journal does not know of it,
 * however slow the machine is that kills it.
 */
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

const step = process.env.HOLD_OUTCOME_OF ?? ''
const goOn = process.env.GO_ON ?? ''
const writeSync = fs.writeSync as (fd: number, bytes: Uint8Array, ...where: unknown[]) => number

fs.writeSync = ((fd: number, bytes: Uint8Array, ...where: unknown[]) => {
  if (fs.readlinkSync(`/proc/self/fd/${fd}`).endsWith('/journal.ndjson')) {
    const record = JSON.parse(Buffer.from(bytes).toString('utf8'))
    if (record.type === 'outcome' && record.path.endsWith(`/${step}`)) {
      while (!fs.existsSync(goOn)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)
    }
  }
  return writeSync(fd, bytes, ...where)
}) as typeof fs.writeSync
syncBuiltinESMExports()
