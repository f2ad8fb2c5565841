import { AGAIN } from '../model/again.ts'

const PROGRAMS =
  'talosctl|kubectl|workflows/[\\w-]+\\.ts|node|npm|npx|sops|git|rm|mv|chmod|sudo|mise|pip|unset|talhelper|age-keygen|terraform|tofu|ls|df|cat|date|dmesg|file|ulimit|ps|command|echo'

const COMMAND = new RegExp(`^(?:[A-Z_]+=\\S+ )?(?:${AGAIN}|${PROGRAMS})(?: |$)`)

/** Whether a hint is a command that can be typed as it stands, and no words about one. */
export const isCommand = (hint: string): boolean => COMMAND.test(hint)
