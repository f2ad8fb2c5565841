import type { Heartbeat } from '../../scripts/engine/heartbeat.ts'

/** The heartbeat of a process that never sleeps. */
export const awake: Heartbeat = { sleeps: () => 0, nextSleep: () => new Promise(() => {}), stop: () => {} }
