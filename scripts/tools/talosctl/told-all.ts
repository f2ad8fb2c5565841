import type { CommandResult } from '../../run.ts'
import { nodeErrors } from './node-errors.ts'

/**
 * Whether an answer about several nodes is whole, but for those that it names as failing: talosctl ended by itself, and
 * well, or (from 1.14 on) with 1 and nothing else to complain of than single nodes.
 */
export const toldAll = ({ ended, stderr }: CommandResult): boolean =>
  ended.by === 'exit' &&
  (ended.code === 0 ||
    (nodeErrors(stderr).size > 0 &&
      stderr.split('\n').every((line) => line === '' || /^WARNING: /.test(line) || nodeErrors(line).size > 0)))
