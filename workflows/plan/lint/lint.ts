import type { Problem } from '../../model/problem.ts'
import { controlPlaneTaints } from './control-plane-taints.ts'
import { deprecatedStorage } from './deprecated-storage.ts'
import { endpointIsVip } from './endpoint-is-vip.ts'
import { extensionNames } from './extension-names.ts'
import { extensionServices } from './extension-services.ts'
import { globalOverrides } from './global-overrides.ts'
import { installExtensions } from './install-extensions.ts'
import { installSection } from './install-section.ts'
import { jsonPatches } from './json-patches.ts'
import { kubePrismAndCilium } from './kube-prism-and-cilium.ts'
import { kubeletArguments } from './kubelet-arguments.ts'
import type { LintInput } from './lint-input.ts'
import { liveCharacters } from './live-characters.ts'
import { networkPlugin } from './network-plugin.ts'
import { obsoleteSettings } from './obsolete-settings.ts'
import { secureBootInstaller } from './secure-boot-installer.ts'
import { type Subject, subjectOf } from './subject.ts'
import { tpmOnMacMini } from './tpm-on-mac-mini.ts'
import { unpublishedInstaller } from './unpublished-installer.ts'
import { workerRoleLabel } from './worker-role-label.ts'

const RULES: readonly ((subject: Subject) => Problem[])[] = [
  controlPlaneTaints,
  deprecatedStorage,
  endpointIsVip,
  extensionNames,
  extensionServices,
  globalOverrides,
  installExtensions,
  installSection,
  jsonPatches,
  kubePrismAndCilium,
  kubeletArguments,
  liveCharacters,
  networkPlugin,
  obsoleteSettings,
  secureBootInstaller,
  tpmOnMacMini,
  unpublishedInstaller,
  workerRoleLabel,
]

/**
 * What goes wrong in the field although talhelper, or Talos itself, takes the configuration; each with the rewrite to
 * paste. Warnings where a cluster would still come up.
 */
export function lint(input: LintInput): Problem[] {
  const subject = subjectOf(input)
  const said = new Set<string>()
  return RULES.flatMap((rule) => rule(subject))
    .filter((problem) => {
      // what is said in a patch of a role is found once for each node of the role
      const key = JSON.stringify([problem.file, problem.line, problem.col, problem.message])
      return !said.has(key) && said.add(key)
    })
    .sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line || a.col - b.col))
}
