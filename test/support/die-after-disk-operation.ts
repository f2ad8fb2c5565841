/**
 * Loaded before a command, kills it with SIGKILL after the DIE_AFTER_DISK_OPERATION-th operation of its placing, and tells
 * a command that ends before how many there were: in the file that DISK_OPERATIONS names.
 */
import { writeFileSync } from 'node:fs'
import { type Disk, realDisk } from '../../scripts/config/placing/disk.ts'
import { mortalDisk } from './mortal-disk.ts'

const { DIE_AFTER_DISK_OPERATION, DISK_OPERATIONS } = process.env

const whole: Disk = { ...realDisk }
const { operations, ...mortal } = mortalDisk(
  Number(DIE_AFTER_DISK_OPERATION),
  false,
  () => {
    process.kill(process.pid, 'SIGKILL')
    // the signal comes before this process runs on
    throw new Error('still alive')
  },
  whole,
)
Object.assign(realDisk, mortal)
process.on('exit', () => {
  if (DISK_OPERATIONS) writeFileSync(DISK_OPERATIONS, String(operations.length))
})
