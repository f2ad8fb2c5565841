import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { readYaml } from '../../../workflows/model/declaration/yaml-source.ts'
import { type Failure, failure, type Result } from '../../../workflows/model/failure.ts'
import { shellWord } from '../../cli/shell-word.ts'
import { workflowCommand } from '../../cli/workflow-command.ts'
import { forPeople, invalid, readSource } from '../../declaration/load-cluster.ts'
import { createWhole } from '../../disk/create-whole.ts'
import { makeFolder } from '../../disk/make-folder.ts'
import { nearestFolder } from '../../disk/nearest-folder.ts'
import { createRun } from '../../run.ts'
import { isDone } from '../../tools/ended.ts'
import { gitCommands, gitPaths } from '../../tools/git.ts'
import { sopsCommands, sopsMeaning } from '../../tools/sops.ts'
import { talhelperCommands } from '../../tools/talhelper.ts'
import { addSopsRule, pathRegexFor } from './add-sops-rule.ts'
import { readBundle } from './bundle.ts'
import { defaultIdentityFile, findIdentities } from './find-identities.ts'
import { makeIdentity } from './make-identity.ts'
import { exposed, openIdentity } from './open-identity.ts'
import { protectFromGit } from './protect-from-git.ts'
import type { ForeignSecrets } from './read-foreign-secrets.ts'
import type { SecretTools } from './secret-tools.ts'
import { sopsFile } from './sops-file.ts'
import { sopsRule } from './sops-rule.ts'

/** One thing that init does because it was not so yet; `work` does nothing that another run did meanwhile. */
export type SecretsStep = {
  /** as a wish: `make an age identity in …` */
  title: string
  work(): Promise<Failure[]>
}

export type SecretsWish = {
  /** `cluster-101` */
  cluster: string
  /** absolute, like all paths here */
  dir: string
  /** `clusters/cluster-101` */
  folder: string
  /** where the node files are in it */
  generated: string
  /** `talsecret.sops.yaml` in it */
  file: string
  /** where the age identity is, or is to be made */
  ageKey?: string | undefined
  /** secrets to take over instead of making new ones */
  foreign?: ForeignSecrets
  tools: SecretTools
}

/** What has to be done until the cluster has its secrets; empty when it has. Fails with what must not be done. */
export async function planSecrets(wish: SecretsWish): Promise<Result<SecretsStep[], Failure[]>> {
  const { cluster, dir, folder, generated, file, foreign, tools } = wish
  const ignore = { folder, generated, dir, tools }
  const [ignored, keys] = await Promise.all([protectFromGit({ ...ignore, dryRun: true }), planKeys(wish)])
  const failures = [...(ignored.ok ? [] : ignored.failure), ...(keys.ok ? [] : keys.failure)]
  const there = existsSync(file)
  if (!there && !foreign) failures.push(...straySecrets(cluster, folder, dir))
  if (!ignored.ok || !keys.ok || failures.length > 0) return { ok: false, failure: failures }
  const steps: SecretsStep[] = []
  if (!existsSync(folder))
    steps.push({
      title: `make ${forPeople(folder)}`,
      work: async () => {
        makeFolder(folder)
        return []
      },
    })
  if (ignored.value.length > 0)
    steps.push({
      title: ignored.value.map(({ file, lines }) => `add ${lines.join(', ')} to ${forPeople(file)}`).join('; '),
      work: async () => {
        const done = await protectFromGit(ignore)
        return done.ok ? [] : done.failure
      },
    })
  steps.push(...keys.value)
  if (!there)
    steps.push({
      title: `${foreign ? 'put the secrets that were taken over' : 'put new secrets'}, encrypted, into ${forPeople(file)}`,
      work: () => writeSecrets(wish),
    })
  return { ok: true, value: steps }
}

/** Plain secrets beside the place of the encrypted ones: making new ones then would make another cluster. */
function straySecrets(cluster: string, folder: string, dir: string): Failure[] {
  const stray = ['talsecret.yaml', 'talsecret.yml', 'talsecret.sops.yml', 'secrets.yaml']
    .map((name) => join(folder, name))
    .find((file) => existsSync(file))
  if (stray === undefined) return []
  return [
    failure('authority-changed', {
      detail: `${forPeople(stray)} is there: new secrets would make another cluster than the one it belongs to`,
      hint: `${workflowCommand('init', cluster, dir)} --from ${shellWord(forPeople(stray))}`,
    }),
  ]
}

/** Identity and rule: what has to be there so that secrets can be encrypted, and read again by us. */
async function planKeys({ dir, file, ageKey, tools }: SecretsWish): Promise<Result<SecretsStep[], Failure[]>> {
  const rule = sopsRule(file, tools.env)
  if (rule.found === 'broken-config') return { ok: false, failure: rule.problems.map(invalid) }
  const present = readSource(file)
  if (rule.found === 'rule') {
    const { recipients, otherKeys } = rule
    // of secrets that are there it is for them to say who opens them
    if (present || recipients.length === 0) return { ok: true, value: [] }
    const opened = await openIdentity({ recipients, otherKeys, dir, tools, ...(ageKey && { others: [ageKey] }) })
    return opened.ok ? { ok: true, value: [] } : opened
  }
  const config = rule.found === 'no-rule' ? rule.config : join(dir, '.sops.yaml')
  const pathRegex = pathRegexFor(config, file)
  const ruleStep = (recipient: () => string | undefined): SecretsStep => ({
    title: `add a rule for ${pathRegex} to ${forPeople(config)}${recipient() === undefined ? '' : `, by which ${recipient()} opens it`}`,
    work: async () => {
      const whose = recipient()
      if (whose !== undefined) addSopsRule(config, { pathRegex, recipient: whose })
      return []
    },
  })
  if (present) {
    const whose = sopsFile(readYaml(present)).recipients.join(',')
    return { ok: true, value: whose === '' ? [] : [ruleStep(() => whose)] }
  }
  const identity = await identityToUse({ dir, ageKey, tools })
  if (!identity.ok) return identity
  let { recipient } = identity.value
  const steps: SecretsStep[] = []
  const { make } = identity.value
  if (make !== undefined)
    steps.push({
      title: `make an age identity in ${forPeople(make)}, of which a copy should be kept: nothing else opens the secrets`,
      work: async () => {
        const made = await makeIdentity(make, tools)
        if (made.ok) recipient = made.value
        return made.ok ? [] : made.failure
      },
    })
  steps.push(ruleStep(() => recipient))
  return { ok: true, value: steps }
}

/** The identity for a new rule: the named one, else the one that sops would find, else one that is to be made. */
async function identityToUse({
  dir,
  ageKey,
  tools,
}: Pick<SecretsWish, 'dir' | 'tools'> & { ageKey?: string | undefined }): Promise<
  Result<{ recipient?: string; make?: string }, Failure[]>
> {
  const run = createRun(tools)
  const found = await findIdentities({ dir, env: tools.env, run, ...(ageKey && { others: [ageKey] }) })
  const wanted = ageKey === undefined ? found : found.filter(({ from }) => from === ageKey)
  const usable = wanted.find(({ recipients }) => recipients.length > 0)
  const file = ageKey ?? newIdentityFile(tools.env)
  const failures = usable?.isFile ? await exposed(usable.from, run) : []
  if (usable === undefined && existsSync(file)) {
    const detail = `${forPeople(file)} holds no age identity that age-keygen can read`
    failures.push(failure('identity-missing', { detail, hint: '--age-key <another file>' }))
  }
  if (usable === undefined && file !== join(dir, 'age.key')) failures.push(...(await wouldBeTakenUp(file, tools)))
  if (failures.length > 0) return { ok: false, failure: failures }
  const [recipient] = usable?.recipients ?? []
  return { ok: true, value: recipient === undefined ? { make: file } : { recipient } }
}

/** Where sops is told to look, else where it looks by itself. */
const newIdentityFile = (env: NodeJS.ProcessEnv): string =>
  env.SOPS_AGE_KEY_FILE ? resolve(env.SOPS_AGE_KEY_FILE) : defaultIdentityFile(env)

async function wouldBeTakenUp(file: string, tools: SecretTools): Promise<Failure[]> {
  const folder = nearestFolder(dirname(file))
  const run = createRun(tools)
  const asked = await run(gitCommands.isRepository(folder))
  if (asked.ended.by === 'exit' && !isDone(asked)) return []
  if (gitPaths((await run(gitCommands.ignored(folder, [file]))).stdout).length > 0) return []
  const detail = `${forPeople(file)} would be inside a git repository that does not ignore it`
  return [failure('secret-in-git', { detail, hint: `--age-key ${shellWord(defaultIdentityFile(tools.env))}` })]
}

/** talhelper → memory → sops → a new file. Nothing is written unless every value is encrypted. */
async function writeSecrets({ dir, file, ageKey, foreign, tools }: SecretsWish): Promise<Failure[]> {
  const run = createRun(tools)
  const plaintext = foreign?.text ?? (await newSecrets(tools))
  if (plaintext === undefined)
    return [failure('command-failed', { detail: 'talhelper made no secrets', hint: 'talhelper gensecret > /dev/null' })]
  const rule = sopsRule(file, tools.env)
  if (rule.found !== 'rule')
    return [
      failure('sops-rule-missing', {
        detail: `.sops.yaml has no rule for ${forPeople(file)}`,
        hint: 'run the same again',
      }),
    ]
  const encrypted = await run(sopsCommands.encrypt({ config: rule.config, file, plaintext }))
  if (!isDone(encrypted)) {
    const detail = `sops can not encrypt by ${rule.place}: ${sopsMeaning(encrypted)}`
    const hint = `echo a: 1 | sops --config ${shellWord(forPeople(rule.config))} encrypt --filename-override ${shellWord(forPeople(file))}`
    return [failure('command-failed', { detail, hint })]
  }
  const { plain, encrypted: isEncrypted } = sopsFile(readYaml({ path: file, text: encrypted.stdout }))
  if (!isEncrypted || plain.length > 0) {
    const detail = `${rule.place} would leave ${plain.length} values in plain text, such as ${
      plain[0]?.message.replace(' is not encrypted', '') ?? 'all'
    }; nothing was written`
    const hint = rule.partly ? `take ${rule.partly} out of the rule` : `correct the rule in ${forPeople(rule.config)}`
    return [failure('secrets-not-encrypted', { detail, hint })]
  }
  const opened = await openIdentity({
    recipients: rule.recipients,
    otherKeys: rule.otherKeys || rule.recipients.length === 0,
    dir,
    tools,
    ...(ageKey && { others: [ageKey] }),
  })
  if (!opened.ok) return opened.failure
  createWhole(file, encrypted.stdout, 0o644)
  return []
}

async function newSecrets(tools: SecretTools): Promise<string | undefined> {
  const made = await createRun(tools)(talhelperCommands.genSecret())
  return isDone(made) && readBundle(made.stdout).ok ? made.stdout : undefined
}
