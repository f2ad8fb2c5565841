// biome-ignore-all lint/suspicious/noTemplateCurlyInString: names of tests as they are written
/**
 * Every line of the five source documents (configuration facts, 1.0 to 1.4): the test that shows it, or why there is none.
 * A name is looked for in the file as it is written there.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

type Shown = { test: string; name: string } | { later: string } | { not: string }

const seeds = { test: 'test/seeds.test.ts', name: 'generates what $' }
const lint = (name: string): Shown => ({ test: 'test/workflows/plan/lint/lint.test.ts', name })
const gen = (name: string): Shown => ({ test: 'test/scripts/config/generate-config.test.ts', name })
const init = (name: string): Shown => ({ test: 'test/scripts/config/secrets/init.test.ts', name })
const apply = { later: 'there is no apply command yet' }
const bootstrap = { later: 'there is no bootstrap command yet' }
const reset = { later: 'there is no reset command yet' }
const kubernetes = { later: 'nothing drives Kubernetes yet' }
const doctor = { later: 'there is no doctor command yet' }
const discover = { later: 'there is no discover command yet' }
const prose = { not: 'about documentation, and nothing to do' }

const LINES: Record<string, [line: string, shown: Shown]> = {
  '0.1': ['one configuration per node, of several documents', seeds],
  '0.2': [
    'no edits on nodes: drift is found',
    { later: 'the running configuration is not compared yet; edits of generated files are' },
  ],
  '0.3': ['secrets of Terraform or talosctl are taken over', init('takes over the secrets of talosctl')],
  '0.4': ['configurations are applied, again without effect', apply],
  '0.5': ['a profile for control planes', gen('applies the patches of all, of the role and of the node in this order')],
  '0.6': ['no workers is a cluster', seeds],
  '0.7': ['base, then role, then node', gen('applies the patches of all, of the role and of the node in this order')],
  '0.8': ['iSCSI by machine.install.extensions', lint('moves extensions from machine.install into the schematic')],
  '0.9': ['the iSCSI extension runs after applying', apply],
  '0.10': ['KubePrism on port 7445', seeds],
  '0.11': [
    'the kubelet flag allow-privileged',
    lint('tells of the flag that ends the kubelet, of values that are no text, and of what is on anyway'),
  ],
  '0.12': [
    'privileged pods are allowed by namespace',
    lint('tells of the flag that ends the kubelet, of values that are no text, and of what is on anyway'),
  ],
  '0.13': ['static addresses, by interface or kernel argument, and a stable virtual IP', seeds],
  '0.14': ['from a machine in maintenance to a node', bootstrap],
  '0.15': [
    'the list of nodes comes from Terraform',
    {
      test: 'test/scripts/config/import-terraform.test.ts',
      name: 'takes the program that TERRAFORM names, runs it in the module, and hands it what finds its state',
    },
  ],
  '0.16': ['a diagram', prose],

  '1.1': ['no way by ssh', { not: 'no ssh is used anywhere; a cluster behind a bastion host comes later' }],
  '1.2': [
    'three control planes that work as well, never two down',
    {
      test: 'test/workflows/plan/etcd.test.ts',
      name: 'never lets a member go when fewer healthy voters than a quorum would remain',
    },
  ],
  '1.3': ['the disk is selected, and one sees which', discover],
  '1.4': ['IPv4 and IPv6 side by side', seeds],
  '1.5': ['LUKS2 for STATE and EPHEMERAL', seeds],
  '1.6': ['configuration is in git, and applied with talosctl', apply],
  '1.7': ['talconfig.yaml at the root, beside talos/patches', seeds],
  '1.8': [
    'the fields of talconfig.yaml, and those that it does not have',
    {
      test: 'test/scripts/config/check-talconfig.test.ts',
      name: 'tells of every key that talhelper would pass over, with what is meant',
    },
  ],
  '1.9': ['udev, sysctl and LLDP by patches', lint('knows the forms that do not configure lldpd')],
  '1.10': ['edit, generate, apply, and know whether it reboots', apply],
  '1.11': [
    'a node is rebooted, one at a time',
    { later: 'there is no reboot command yet; an upgrade reboots one node at a time' },
  ],
  '1.12': ['talosctl exec does not exist', { not: 'no such command is ever proposed' }],
  '1.13': ['safe-reset wipes STATE and EPHEMERAL alone', reset],
  '1.14': ['a node that can not be reached', doctor],
  '1.15': ['a configuration that is not accepted', apply],
  '1.16': ['disks that are not found', doctor],
  '1.17': [
    'tasks for generating and applying',
    { test: 'test/taskfile.lab.test.ts', name: 'lists a sentence for every task' },
  ],

  '2.1': ['controllers and optional workers', seeds],
  '2.2': ['talos/ with talconfig, talenv, talsecret and clusterconfig', seeds],
  '2.3': ['talconfig.yaml comes from a template', seeds],
  '2.4': ['the fields of a node in talconfig.yaml', seeds],
  '2.5': [
    'versions in a flat talenv.yaml',
    {
      test: 'test/workflows/model/declaration/parse-nodes-and-cluster.test.ts',
      name: 'makes a cluster of the three files, called as it says or as its folder',
    },
  ],
  '2.6': ['patches for all, controllers, workers and nodes', seeds],
  '2.7': [
    'no CNI, own networks, no kube-proxy',
    lint('takes kube-proxy that is off as a sign that a plugin comes later'),
  ],
  '2.8': [
    'rotate-server-certificates, name and time servers',
    lint("asks who signs the kubelet's server certificates"),
  ],
  '2.9': ['the first installation', discover],
  '2.10': ['configuration is updated, by mode', apply],
  '2.11': [
    'Talos is upgraded one node at a time',
    {
      test: 'test/upgrade/unattended.lab.test.ts',
      name: "from cron's environment it never asks, finds its tools in the cache and upgrades everything",
    },
  ],
  '2.12': ['Kubernetes is upgraded once for all', kubernetes],
  '2.13': [
    'schematics and their ids',
    {
      test: 'test/scripts/schematic/schematic.test.ts',
      name: 'gives a schematic ${name} the id that the Image Factory gives it',
    },
  ],
  '2.14': [
    'Secure Boot and encryption by node',
    {
      test: 'test/workflows/model/declaration/parse-nodes-and-cluster.test.ts',
      name: 'warns of a key in the TPM without Secure Boot',
    },
  ],
  '2.15': [
    'health, services, logs, etcd',
    { test: 'test/workflows/status.lab.test.ts', name: 'shows every node, what it runs and what its etcd member does' },
  ],
  '2.16': ['the table of commands', { later: 'status and upgrade are there, the others are not yet' }],
  '2.17': [
    'TALOSCONFIG is set',
    { test: 'test/taskfile.lab.test.ts', name: 'points TALOSCONFIG at the cluster that the command names' },
  ],

  '3.1': ['the services of a role', doctor],
  '3.2': ['files that talosctl gen made', init("takes over the secrets of a control plane, and refuses a worker's")],
  '3.3': [
    'secrets are never committed',
    {
      test: 'test/scripts/config/secrets/protect-from-git.test.ts',
      name: 'names what git holds and must not, by file',
    },
  ],
  '3.4': ['the order of making a cluster', bootstrap],
  '3.5': [
    'versions with and without v, networks',
    {
      test: 'test/workflows/model/declaration/parse-nodes-and-cluster.test.ts',
      name: 'makes a cluster of the three files, called as it says or as its folder',
    },
  ],
  '3.6': [
    'networks do not overlap',
    {
      test: 'test/workflows/model/declaration/invalid-declarations.test.ts',
      name: 'tells what is wrong in ${layout}/${name}',
    },
  ],
  '3.7': ['no CNI, Cilium afterwards', lint('asks for a network plugin where Talos installs none')],
  '3.8': ["KubePrism against Cilium's values", lint('holds the port that Cilium asks against that of KubePrism')],
  '3.9': [
    'reboot, upgrade and logs',
    {
      test: 'test/workflows/plan/upgrade.test.ts',
      name: 'keeps the schematic that runs, its platform and its secure boot in the image',
    },
  ],
  '3.10': ['a cluster gets smaller', reset],
  '3.11': [
    'certificates of clients, and their end',
    {
      test: 'test/scripts/config/placing/keep-talosconfig.test.ts',
      name: 'renews the client certificate within 30 days of its end',
    },
  ],
  '3.12': ['apid only for an administrator', seeds],
  '3.13': [
    'secret files are closed and ignored',
    {
      test: 'test/scripts/config/secrets/protect-from-git.test.ts',
      name: 'ignores what is generated and the identity, and nothing that belongs into git',
    },
  ],
  '3.14': [
    'generating alone, and edits by hand',
    gen('refuses to overwrite what was edited by hand, also in a dry run, unless told to'),
  ],
  '3.15': ['max-pods, intel-ucode, another disk', lint('makes user volumes of machine.disks')],
  '3.16': ['bootstrap once, on one node', bootstrap],
  '3.17': [
    'errors and their causes',
    {
      test: 'test/scripts/tools/talosctl/failure-of.test.ts',
      name: 'a deadline while reading means that the node does not answer, whatever the ended talosctl says',
    },
  ],
  '3.18': [
    'which versions run',
    { test: 'test/workflows/status.lab.test.ts', name: 'shows every node, what it runs and what its etcd member does' },
  ],
  '3.19': ['Kubernetes goes one minor at a time', kubernetes],
  '3.20': ['references', prose],

  '4.1': [
    'Terraform writes talenv.yaml',
    {
      test: 'test/scripts/config/import-terraform.test.ts',
      name: 'takes the program that TERRAFORM names, runs it in the module, and hands it what finds its state',
    },
  ],
  '4.2': ['task talos:gen-config -- 101', { test: 'test/taskfile.lab.test.ts', name: 'task ${argv.join(' }],
  '4.3': [
    'validation comes first',
    {
      test: 'test/workflows/model/declaration/invalid-declarations.test.ts',
      name: 'says the same of talenv/${name} by the command, and exits 65',
    },
  ],
  '4.4': ['talconfig.rendered.yaml comes from a template', gen('tells where in a template a name is not defined')],
  '4.5': [
    'talhelper, into the folder of the cluster',
    gen('makes a configuration for each node and a talosconfig, for their owner alone'),
  ],
  '4.6': ['the tree, with a schematic of its own', seeds],
  '4.7': [
    'labels and taints by role',
    lint('tells that a worker can not give itself the label of a role, wherever it is written'),
  ],
  '4.8': ['more blocks for a role', seeds],
  '4.9': [
    'git ignores what is generated',
    {
      test: 'test/scripts/config/secrets/protect-from-git.test.ts',
      name: 'adds its lines once, after those of a person',
    },
  ],
  '4.10': ['patches, SOPS, and another root', seeds],
}

/** Lines of each source. */
const COUNTS = [16, 17, 17, 20, 10]

test('has every line of every source, once', () => {
  const all = COUNTS.flatMap((count, chapter) => Array.from({ length: count }, (_, index) => `${chapter}.${index + 1}`))
  assert.equal(Object.keys(LINES).sort(), all.sort())
})

for (const [id, [line, shown]] of Object.entries(LINES))
  if ('test' in shown)
    test(`${id}, ${line}: is shown`, () => {
      const path = join(import.meta.dirname, '..', shown.test)
      assert.ok(existsSync(path), `${shown.test} is gone`)
      const text = readFileSync(path, 'utf8').replaceAll("\\'", "'")
      assert.ok(text.includes(shown.name), `${shown.test} has no test "${shown.name}"`)
    })
  else test(`${id}, ${line}: says why it is not`, () => assert.ok(Object.values(shown)[0]?.length))

test.run()
