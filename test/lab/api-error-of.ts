import * as assert from 'uvu/assert'
import { ApiError } from '../../lab/lab-node.ts'

/** What the API says against it. */
export async function apiErrorOf(promise: Promise<unknown>): Promise<ApiError> {
  const error = await promise.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  )
  assert.instance(error, ApiError)
  return error as ApiError
}
