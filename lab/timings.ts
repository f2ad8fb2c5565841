/** How long things take on a machine of the lab, in machine seconds (divided by the lab's speed). */
export type Timings = {
  /** pulling an installer image that is not there yet */
  pullSeconds: number
  /** the installer, from its start to its exit */
  installSeconds: number
  /** from the reboot request until the machine is down: pods and services stop */
  stopSeconds: number
  /** down, until apid answers again */
  rebootSeconds: number
  /** from apid's first answer until the node is ready */
  readySeconds: number
}

/** A Mac mini with a USB SSD on a home connection, roughly. */
export const defaultTimings: Timings = {
  pullSeconds: 30,
  installSeconds: 20,
  stopSeconds: 5,
  rebootSeconds: 40,
  readySeconds: 15,
}
