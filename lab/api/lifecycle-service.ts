import { ApiError } from '../lab-node.ts'
import { type Method, streaming } from './method.ts'

type UpgradeRequest = { source: { image_name: string } | null }

/** machine.LifecycleService (Talos ≥ 1.13): installs into the other slot and leaves the node running. */
export const lifecycleService: Readonly<Record<string, Method>> = {
  '/machine.LifecycleService/Upgrade': streaming<UpgradeRequest>(
    { request: 'machine.LifecycleServiceUpgradeRequest', response: 'machine.LifecycleServiceUpgradeResponse' },
    async function* ({ node, signal }, { source }) {
      const image = source?.image_name ?? ''
      if (image === '') throw new ApiError('INVALID_ARGUMENT', 'installer image name is required')
      for await (const step of node.install(image, signal)) {
        yield { progress: 'exitCode' in step ? { exit_code: step.exitCode } : { message: step.message } }
      }
    },
  ),
}
