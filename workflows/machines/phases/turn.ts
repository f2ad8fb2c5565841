import type { Row } from '../sequence.ts'

/** A turn of one node, as one would say it: how it goes down and comes back. */
export const TURN: readonly Row[] = [
  // where that was not done ahead
  { step: 'install', when: 'installsFirst', begins: 'noteInstalling', ends: 'noteInstalled', else: 'diagnosed' },
  // a worker has no etcd member to guard
  { step: 'check-etcd', when: 'isControlPlane', ends: 'noteGate', else: 'refused' },
  { step: 'cordon', when: 'drains', begins: 'noteCordon', else: 'asItWas' },
  { step: 'drain', when: 'drains', else: 'asItWas' },
  // a drain may take long, and leadership moves
  { step: 'check-etcd', when: 'drainsControlPlane', ends: 'noteGate', else: 'refused' },
  { step: 'hand-over-leadership', when: 'leadsAmongPeers', else: 'refused' },
  // one of the two, by the node's work; right before its request each has a look at etcd of its own
  {
    step: 'reboot',
    when: 'rebootsByItself',
    begins: 'noteGoingDown',
    ends: 'noteFlip',
    else: 'diagnosedUnlessRefused',
  },
  {
    step: 'upgrade',
    when: 'isReplacedByOneCall',
    begins: 'noteGoingDown',
    ends: 'noteFlip',
    else: 'diagnosedUnlessRefused',
  },
  { step: 'rejoin', else: 'diagnosed' },
  { step: 'verify', ends: 'noteDiagnosis', else: 'diagnosed' },
  { step: 'settle', when: 'isKnownToKubernetes', ends: 'noteSettled', else: 'stuck' },
  { step: 'uncordon', when: 'isCordoned', ends: 'noteUncordoned', else: 'leftCordoned' },
  { step: 'pass-gates', when: 'hasGates', else: 'stuck' },
]
