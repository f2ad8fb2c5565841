/**
 * Loaded before a workflow (`--import`), it kills the process right after the n-th record of its journal is on disk:
 * DIE_AFTER_RECORD counts the records that the file then holds, those of earlier processes included; DIE_AFTER_INTENT_OF
 * names a step instead, before which the process dies, and DIE_AFTER_OUTCOME_OF one after whose end it does.
 */
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

const last = Number(process.env.DIE_AFTER_RECORD ?? Number.POSITIVE_INFINITY)
const before = process.env.DIE_AFTER_INTENT_OF
const after = process.env.DIE_AFTER_OUTCOME_OF
const fsyncSync = fs.fsyncSync

fs.fsyncSync = (fd) => {
  fsyncSync(fd)
  const file = fs.readlinkSync(`/proc/self/fd/${fd}`)
  if (!file.endsWith('/journal.ndjson')) return
  const records = fs.readFileSync(file, 'utf8').split('\n').slice(0, -1)
  const newest = JSON.parse(records.at(-1) ?? '{}')
  const isBefore = newest.type === 'intent' && newest.step === before
  const isAfter = newest.type === 'outcome' && newest.path.endsWith(`/${after}`)
  if (records.length >= last || isBefore || isAfter) process.kill(process.pid, 'SIGKILL')
}
syncBuiltinESMExports()
