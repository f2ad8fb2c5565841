import type { KubeObject } from './api-client.ts'

/** Whether the condition Ready of a pod or a node holds. */
export const isReady = (object: KubeObject | undefined): boolean =>
  ((object?.status?.conditions ?? []) as { type: string; status: string }[]).some(
    ({ type, status }) => type === 'Ready' && status === 'True',
  )
