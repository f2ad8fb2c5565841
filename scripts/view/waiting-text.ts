/**
 * What waits in the slot that does not run, told by the image's tag: `v1.13.9 waits since 12:03`. Local time, with the
 * day when it is another one than that of `seenAt` (both ISO times).
 */
export function waitingText(image: string, since: string | undefined, seenAt: string): string {
  return `${imageTag(image)} waits${since === undefined ? '' : ` since ${timeText(since, seenAt)}`}`
}

/** `factory.talos.dev/metal-installer/376567…:v1.13.9` is told by its tag, also when a digest follows it. */
export const imageTag = (image: string): string => /:([^:/@]+)(?:@.*)?$/.exec(image)?.[1] ?? image

function timeText(iso: string, seenAt: string): string {
  const at = new Date(iso)
  if (Number.isNaN(at.getTime())) return iso
  const two = (n: number) => String(n).padStart(2, '0')
  const time = `${two(at.getHours())}:${two(at.getMinutes())}`
  if (at.toDateString() === new Date(seenAt).toDateString()) return time
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${time}`
}
