/** The bodies of the machines' invokes, by name. */
import type { StepName } from '../../workflows/model/step-name.ts'
import type { World } from '../cluster/world.ts'
import type { Step } from '../engine/driver.ts'
import { checkEtcd } from './check-etcd.ts'
import { clearCordons } from './clear-cordons.ts'
import { cordon } from './cordon.ts'
import { diagnose } from './diagnose.ts'
import { drain } from './drain.ts'
import { handOverLeadership } from './hand-over-leadership.ts'
import { install } from './install.ts'
import { lookBack } from './look-back.ts'
import { passGates } from './pass-gates.ts'
import { pullImage } from './pull-image.ts'
import { reboot } from './reboot.ts'
import { rejoin } from './rejoin.ts'
import { settle } from './settle.ts'
import { snapshotEtcd } from './snapshot-etcd.ts'
import { uncordon } from './uncordon.ts'
import { upgrade } from './upgrade.ts'
import { verify } from './verify.ts'

export const upgradeSteps = (world: World): Record<StepName, Step> => ({
  'clear-cordons': clearCordons(world),
  'snapshot-etcd': snapshotEtcd(world),
  'pull-image': pullImage(world),
  install: install(world),
  'check-etcd': checkEtcd(world),
  'hand-over-leadership': handOverLeadership(world),
  cordon: cordon(world),
  drain: drain(world),
  reboot: reboot(world),
  upgrade: upgrade(world),
  rejoin: rejoin(world),
  verify: verify(world),
  settle: settle(world),
  uncordon: uncordon(world),
  'pass-gates': passGates(world),
  diagnose: diagnose(world),
  'look-back': lookBack(world),
})
