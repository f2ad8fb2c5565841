import type { NodeVerdict } from '../model/verdict.ts'
import type { ClearInput, LookBackInput, SnapshotInput } from './cluster.ts'
import type { Diagnosis, GateOutput, InstallOutput, NodeStepInput, RebootOutput, SettleOutput } from './node.ts'

type Of<Input, Output = void> = { input: Input; output: Output }

/** What each step is given by its machine, and what it answers to it. */
export type StepTypes = {
  'clear-cordons': Of<ClearInput>
  'snapshot-etcd': Of<SnapshotInput, { path: string; info: string }>
  'pull-image': Of<NodeStepInput>
  install: Of<NodeStepInput, InstallOutput>
  'check-etcd': Of<NodeStepInput, GateOutput>
  'hand-over-leadership': Of<NodeStepInput>
  cordon: Of<NodeStepInput>
  drain: Of<NodeStepInput>
  reboot: Of<NodeStepInput, RebootOutput>
  upgrade: Of<NodeStepInput, RebootOutput>
  rejoin: Of<NodeStepInput>
  verify: Of<NodeStepInput, Diagnosis>
  settle: Of<NodeStepInput, SettleOutput>
  uncordon: Of<NodeStepInput>
  'pass-gates': Of<NodeStepInput>
  diagnose: Of<NodeStepInput, Diagnosis>
  'look-back': Of<LookBackInput, NodeVerdict[]>
}
