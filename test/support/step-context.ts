import type { StepContext } from '../../scripts/engine/driver.ts'

/** What a step is handed, where nothing was begun before and nobody asks it to stop. */
export const stepContext = (more: Partial<StepContext> = {}): StepContext => ({
  begunBefore: false,
  isStale: () => false,
  mayBegin: (lastLook) => lastLook(),
  signal: new AbortController().signal,
  processFile: '',
  waiting: () => {},
  notice: () => {},
  ...more,
})
