import { type Problem, warning } from '../../model/problem.ts'
import { everywhere, type Subject } from './subject.ts'

/** Settings that are still accepted and do nothing. */
export const obsoleteSettings = (subject: Subject): Problem[] =>
  everywhere(subject, 'cluster', 'apiServer', 'disablePodSecurityPolicy').map((setting) =>
    warning(setting.key('Kubernetes has no PodSecurityPolicy any more, since 1.25', 'remove it')),
  )
