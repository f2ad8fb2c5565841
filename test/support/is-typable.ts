import { spawnSync } from 'node:child_process'

/** Whether a shell takes it as it stands. */
export const isTypable = (command: string): boolean => spawnSync('sh', ['-n', '-c', command]).status === 0
