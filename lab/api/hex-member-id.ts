/** An etcd member's id as Talos prints it (16 hex digits), from the decimal string of the uint64. */
export const hexMemberId = (decimal: string): string => BigInt(decimal).toString(16).padStart(16, '0')
