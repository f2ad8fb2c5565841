import { KubeError } from './api-client.ts'

/** For the catch of a change to an object that may be gone: that it is, is no failure. */
export function ignoreMissing(error: unknown): undefined {
  if (error instanceof KubeError && error.code === 404) return undefined
  throw error
}
