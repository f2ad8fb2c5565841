/** The bodies of the machines' invokes, by name. */

import type { StepTypes } from '../../workflows/machines/step-types.ts'
import type { Result } from '../../workflows/model/failure.ts'
import type { StepName } from '../../workflows/model/step-name.ts'
import type { World } from '../cluster/world.ts'
import type { StepContext } from '../engine/driver.ts'
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

/** Every step, typed as its machine gives to it and takes from it. */
type Steps = {
  [Name in StepName]: (
    input: StepTypes[Name]['input'],
    context: StepContext,
  ) => Promise<Result<StepTypes[Name]['output']>>
}

/** All of them in one world. */
export const createSteps = (world: World): Steps => ({
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
