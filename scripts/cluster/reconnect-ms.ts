/** A node that just returned answers through others only after their reconnect backoff (apid: up to 15 s). */
export const RECONNECT_MS = 20_000
