/** Expected trouble is a value. `reason` is stable and documented here; sentences are for people. */
import type { NodeName } from './cluster.ts'
import type { ExitName } from './exit-code.ts'
import type { StepName } from './step-name.ts'

/** Every reason, with what it means and how a run that ends because of it exits. */
export const FAILURES = {
  usage: { exit: 'usage', means: 'the command line is wrong' },

  'cluster-unknown': { exit: 'declaration', means: 'no declaration of that cluster exists' },
  'declaration-invalid': { exit: 'declaration', means: 'the declaration has a mistake' },
  'node-unknown': { exit: 'declaration', means: '--nodes names a node that is not declared' },

  'terraform-output-missing': { exit: 'declaration', means: 'Terraform has no output talenv_yaml' },

  'secrets-missing': { exit: 'unavailable', means: 'the cluster has no talsecret.sops.yaml' },
  'secrets-not-encrypted': { exit: 'declaration', means: 'a value of talsecret.sops.yaml is not encrypted' },
  'secrets-unreadable': {
    exit: 'declaration',
    means: 'talsecret.sops.yaml was changed by hand, damaged or is incomplete',
  },
  'sops-rule-missing': { exit: 'declaration', means: '.sops.yaml has no rule for talsecret.sops.yaml' },
  'identity-missing': { exit: 'unavailable', means: 'no key that opens talsecret.sops.yaml was found' },
  'identity-exposed': { exit: 'refused', means: 'others may read the age identity' },
  'secret-in-git': { exit: 'refused', means: 'git holds a secret in plain text, or would with the next commit' },
  'authority-changed': { exit: 'refused', means: 'the secrets belong to another cluster: their CA is a different one' },

  'tool-missing': { exit: 'unavailable', means: 'a tool is not installed' },
  'tool-too-old': { exit: 'unavailable', means: 'a tool is too old for the target' },
  'talosconfig-missing': { exit: 'unavailable', means: 'there is no talosconfig for the cluster' },
  'talosconfig-invalid': { exit: 'unavailable', means: 'talosctl can not use the talosconfig' },
  'client-certificate-expired': { exit: 'unavailable', means: 'the client certificate of the talosconfig has ended' },
  'vip-endpoint': { exit: 'unavailable', means: 'the talosconfig uses the virtual IP as an endpoint' },
  'wrong-ca': { exit: 'unavailable', means: "a node's certificate is not signed by the cluster's CA" },
  'permission-denied': { exit: 'unavailable', means: "the talosconfig's role is not allowed to do this" },
  'garbage-answer': { exit: 'unavailable', means: 'a node answered something that can not be read' },
  'node-unreachable': { exit: 'unavailable', means: 'a node that is needed does not answer' },
  'node-slow': { exit: 'unavailable', means: 'a node is there, and gave no answer before the deadline' },
  'node-in-maintenance': { exit: 'unavailable', means: 'a machine has no configuration yet' },
  'node-not-ready': { exit: 'unavailable', means: 'a node is not running and ready' },

  'terraform-unreadable': { exit: 'unavailable', means: 'Terraform can not read its state' },
  'factory-unavailable': { exit: 'unavailable', means: 'the image factory did not take a schematic' },

  locked: { exit: 'tryAgain', means: 'another run holds the cluster' },
  'lock-lost': { exit: 'tryAgain', means: 'another run took the cluster over' },
  'image-pull-failed': { exit: 'tryAgain', means: 'the installer image could not be pulled' },
  'image-refused': { exit: 'refused', means: "a rule of the node's image verification refuses the installer image" },
  'image-pull-timed-out': { exit: 'tryAgain', means: 'the installer image was not pulled before the deadline' },

  'etcd-member-missing': { exit: 'refused', means: 'a declared control plane is no etcd member' },
  'etcd-not-joined': { exit: 'refused', means: 'a declared control plane has not joined etcd yet' },
  'etcd-member-unhealthy': {
    exit: 'refused',
    means: 'the etcd member of another control plane does not answer or reports an error',
  },
  'etcd-member-behind': { exit: 'refused', means: 'the etcd member of another control plane has not caught up' },
  'etcd-members-disagree': { exit: 'refused', means: 'the control planes list different etcd members' },
  'etcd-member-unknown': { exit: 'refused', means: 'etcd has a member that is not declared' },
  'etcd-unreadable': {
    exit: 'refused',
    means: 'what another control plane knows of etcd can not be read, so whether all is well there is not known',
  },
  'etcd-learner': { exit: 'refused', means: 'etcd has a learner, so a join is not finished' },
  'etcd-alarm': { exit: 'refused', means: 'etcd raised an alarm' },
  'etcd-quorum': { exit: 'refused', means: 'etcd would be left without quorum' },
  'etcd-outage': { exit: 'refused', means: 'a cluster of one or two members can not keep quorum while a node reboots' },
  'other-node-than-declared': { exit: 'refused', means: 'an address answers as another node than is declared there' },
  'control-plane-not-ready': { exit: 'refused', means: 'another control plane is not running and ready' },
  'control-plane-unreachable': { exit: 'refused', means: 'another control plane does not answer' },
  downgrade: { exit: 'refused', means: 'the target is older than what runs' },
  'hop-too-long': { exit: 'refused', means: 'the target is more than one minor release ahead' },
  'release-withdrawn': { exit: 'refused', means: 'the target was taken back by its makers' },
  'version-unknown': { exit: 'refused', means: 'the compatibility table does not know the release' },
  'kubernetes-out-of-range': { exit: 'refused', means: 'the target does not support the Kubernetes version' },
  'extension-loss': { exit: 'refused', means: 'the target image lacks an extension that runs today' },
  'kernel-argument-loss': {
    exit: 'refused',
    means: 'the target image lacks a kernel argument that the node runs with today',
  },
  'install-unknown': {
    exit: 'refused',
    means: 'an installation was cut off or can not be read, so whether it happened is not known',
  },
  'other-version-waiting': { exit: 'refused', means: 'a different image waits in the other slot for the next reboot' },
  'configuration-pending': { exit: 'refused', means: 'a machine configuration is staged or on trial' },
  'configuration-changed': {
    exit: 'refused',
    means: 'the machine configuration was changed between installation and reboot',
  },
  'configuration-not-accepted': {
    exit: 'refused',
    means: 'the target does not take the machine configuration that the node has',
  },
  'memory-unreadable': {
    exit: 'refused',
    means: 'what earlier runs did can not be read, so whether an installation was begun is not known',
  },
  'earlier-command-runs': { exit: 'refused', means: 'a command of an earlier run goes on, and does not end' },
  'wipe-unfinished': { exit: 'refused', means: 'an earlier run that wipes disks has not ended' },
  'configuration-unread': { exit: 'refused', means: 'the machine configuration can not be read' },
  'installer-refused-before': {
    exit: 'refused',
    means: 'the installer does not take this image on this node, and would not the next time',
  },
  'rolled-back-before': { exit: 'refused', means: 'the node fell back from this target before' },
  'schematic-unknown': { exit: 'refused', means: "the node's running schematic can not be read" },
  'generation-failed': { exit: 'declaration', means: 'talhelper or talosctl do not take the declaration' },
  'output-edited': { exit: 'refused', means: 'a generated file was edited by hand since it was generated' },
  'output-obstructed': {
    exit: 'refused',
    means: 'where a generated file belongs is something that is no file of ours, such as a symbolic link',
  },

  'kubernetes-unreachable': { exit: 'unavailable', means: 'the Kubernetes API does not answer' },
  'kubernetes-forbidden': { exit: 'unavailable', means: "the kubeconfig's user is not allowed to do this" },
  'kubeconfig-unusable': { exit: 'unavailable', means: 'there is no kubeconfig that kubectl can use' },
  'kubernetes-node-unknown': { exit: 'refused', means: 'Kubernetes has no Node for a declared node' },
  'kubernetes-node-ambiguous': { exit: 'refused', means: 'Kubernetes has several Nodes that could be a declared node' },
  'drain-would-block': { exit: 'refused', means: 'a pod of the node can not be evicted now' },
  'gate-wrong': { exit: 'declaration', means: 'a gate of operations.yaml can not be evaluated' },
  'gate-unmet': { exit: 'refused', means: 'a gate of operations.yaml does not hold before anything is changed' },

  'cordon-failed': { exit: 'failed', means: 'the node could not be cordoned' },
  'drain-blocked': { exit: 'failed', means: 'pods could not be evicted before the deadline' },
  'volumes-attached': { exit: 'failed', means: 'volumes were not detached from the node before the deadline' },
  'left-cordoned': { exit: 'failed', means: 'our cordon could not be lifted' },
  'kubernetes-not-ready': {
    exit: 'failed',
    means: 'the node came back and Kubernetes did not find it, or what has to run on it, ready',
  },
  'gate-not-met': { exit: 'failed', means: 'a gate of operations.yaml was not met before its deadline' },

  'snapshot-failed': { exit: 'failed', means: 'no verified etcd snapshot could be taken' },
  'install-failed': { exit: 'failed', means: 'the installer failed' },
  'installer-refused': { exit: 'failed', means: 'the installer does not take the image or the machine configuration' },
  'install-unseen': { exit: 'failed', means: 'an installation was begun, and how it ended can not be read' },
  'install-timed-out': { exit: 'failed', means: 'the installer did not end before the deadline' },
  'handover-failed': { exit: 'failed', means: 'etcd leadership could not be handed over' },
  'reboot-failed': { exit: 'failed', means: 'the node did not reboot' },
  'never-returned': { exit: 'failed', means: 'the node did not come back before the deadline' },
  'never-ready': { exit: 'failed', means: 'the node came back and did not get ready before the deadline' },
  'etcd-not-caught-up': { exit: 'failed', means: 'the etcd member did not vote and catch up before the deadline' },
  'rolled-back': { exit: 'failed', means: 'the node fell back to the version it had' },
  'wrong-version': { exit: 'failed', means: 'the node runs neither the old version nor the target' },
  'wrong-schematic': { exit: 'failed', means: 'the node runs another schematic than the target' },
  'unwell-at-end': {
    exit: 'failed',
    means: 'a node does not stand any more as it was left: it is down, not ready, or its etcd member does not vote',
  },
  'journal-unwritable': { exit: 'unavailable', means: 'the journal can not be written, so nothing was started' },
  'file-unusable': { exit: 'unavailable', means: 'a file or folder of this program can not be read or written' },
  'output-unwritable': { exit: 'unavailable', means: 'the generated files can not be read or put in place' },
  'output-unfinished': { exit: 'failed', means: 'a part of what was to be done is, and the rest can not be written' },
  interrupted: { exit: 'interrupted', means: 'the command was stopped before anything was in place' },
  'command-failed': { exit: 'failed', means: 'a tool ended with an error' },
  bug: { exit: 'failed', means: 'the program itself is wrong' },
} as const satisfies Record<string, { exit: ExitName; means: string }>

export type FailureReason = keyof typeof FAILURES

export type Failure = {
  reason: FailureReason
  node?: NodeName
  step?: StepName
  /** one sentence for people, in the field's terms */
  detail?: string
  /** the next command to type */
  hint?: string
  /** of a step that changes a node: it ended before it had asked for anything */
  unasked?: true
  /** objects that are missing in Kubernetes, as YAML for `kubectl apply -f -` */
  manifest?: string
}

type Particulars = Omit<Failure, 'reason'>

/** A failure as it is told and kept: what is undefined of `more` is no part of it. */
export const failure = (
  reason: FailureReason,
  more: { [Key in keyof Particulars]?: Particulars[Key] | undefined } = {},
): Failure => ({ reason, ...Object.fromEntries(Object.entries(more).filter(([, value]) => value !== undefined)) })

/** What a call that can fail returns. */
export type Result<T, F = Failure> = { ok: true; value: T } | { ok: false; failure: F }
