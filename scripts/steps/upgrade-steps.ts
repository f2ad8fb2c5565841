/** The bodies of the machines' invokes, by name. */
import type { StepName } from '../../workflows/machines/step.ts'
import type { Step } from '../engine/driver.ts'
import { checkEtcd } from './check-etcd.ts'
import { diagnose } from './diagnose.ts'
import { handOverLeadership } from './hand-over-leadership.ts'
import { install } from './install.ts'
import { pullImage } from './pull-image.ts'
import { reboot } from './reboot.ts'
import { rejoin } from './rejoin.ts'
import { snapshotEtcd } from './snapshot-etcd.ts'
import { upgrade } from './upgrade.ts'
import { verify } from './verify.ts'
import type { World } from './world.ts'

export const upgradeSteps = (world: World): Record<StepName, Step> => ({
  'snapshot-etcd': snapshotEtcd(world),
  'pull-image': pullImage(world),
  install: install(world),
  'check-etcd': checkEtcd(world),
  'hand-over-leadership': handOverLeadership(world),
  reboot: reboot(world),
  upgrade: upgrade(world),
  rejoin: rejoin(world),
  verify: verify(world),
  diagnose: diagnose(world),
})
