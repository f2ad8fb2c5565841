import { Chalk, type ChalkInstance } from 'chalk'

/** Colours for one stream: none unless it is a terminal, none where NO_COLOR says so (chalk itself does not ask it). */
export function paintFor(
  stream: { isTTY?: boolean },
  env: Readonly<Record<string, string | undefined>>,
): ChalkInstance {
  const wanted = stream.isTTY === true && (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb'
  return new Chalk({ level: wanted ? 1 : 0 })
}
