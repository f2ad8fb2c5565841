import { type Doorbell, greet } from './greet.ts'

/** What a machine without a configuration calls itself (machinery/constants: MaintenanceServiceCommonName). */
const COMMON_NAME = 'maintenance-service.talos.dev'

/** Whether a machine waits in maintenance for its configuration, with a certificate that it made itself. */
export const waitsInMaintenance = async (at: Doorbell, signal: AbortSignal): Promise<boolean> =>
  (await greet(at, signal)) === COMMON_NAME
