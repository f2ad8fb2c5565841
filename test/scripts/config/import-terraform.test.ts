import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { findTerraform } from '../../../scripts/tools/terraform.ts'

const root = join(import.meta.dirname, '..', '..', '..')
const folder = mkdtempSync(join(tmpdir(), 'terraform-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

const env = {
  ...process.env,
  TF_CLI_CONFIG_FILE: '/dev/null',
  CHECKPOINT_DISABLE: '1',
}

type Ended = { code: number | null; stdout: string; stderr: string }

/** The command as a person types it; paths of this test's folder are taken out of what it says. */
function importFrom(terraformDir: string, flags: string[] = [], more: NodeJS.ProcessEnv = {}): Ended {
  const argv = ['--import', 'tsx', 'workflows/import-terraform.ts', '--cluster', '9', '--dir', folder]
  const { status, stdout, stderr } = spawnSync(process.execPath, [...argv, '--terraform-dir', terraformDir, ...flags], {
    cwd: root,
    env: { ...env, ...more },
    encoding: 'utf8',
  })
  const clean = (text: string) => text.replaceAll(folder, '…')
  return { code: status, stdout: clean(stdout), stderr: clean(stderr) }
}

const talenv = join(folder, 'clusters', 'cluster-9', 'talenv.yaml')

function makeModule(name: string, value: string | undefined, applied = true): string {
  const dir = join(folder, name)
  mkdirSync(dir, { recursive: true })
  writeFileSync(
    join(dir, 'main.tf'),
    value === undefined
      ? 'output "other" {\n  value = 1\n}\n'
      : `output "talenv_yaml" {\n  sensitive = true\n  value = ${value}\n}\n`,
  )
  if (!applied) return dir
  const program = findTerraform(process.env)
  assert.ok(program.ok)
  const { status, stderr } = spawnSync(program.value.path, ['apply', '-auto-approve', '-no-color'], {
    cwd: dir,
    env,
    encoding: 'utf8',
  })
  assert.is(status, 0, stderr)
  return dir
}

/** A program that stands for terraform. */
function fake(name: string, script: string): string {
  const bin = join(folder, `bin-${name}`)
  mkdirSync(bin, { recursive: true })
  const path = join(bin, name)
  writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  return path
}

const CLUSTER = (version: string) => `yamlencode({
    cluster = { name = "cluster-9", id = 9, endpoint = "https://10.0.0.10:6443", talosVersion = "${version}", kubernetesVersion = "v1.36.1" }
    nodes = [{ hostname = "a", ipAddress = "10.0.0.1", controlPlane = true, disk = "/dev/sda" }]
  })`

// not everybody who changes this project has it; everything else below goes by what the real one printed
const withTerraform = findTerraform(process.env).ok ? test : test.skip

withTerraform(
  'takes talenv.yaml from the real terraform, writes it only when it differs, and shows the difference',
  () => {
    const dir = makeModule('module', CLUSTER('v1.13.8'))
    const dry = importFrom(dir, ['--dry-run'])
    assert.equal([dry.code, dry.stderr], [2, ''])
    assert.ok(!existsSync(join(folder, 'clusters')))

    const first = importFrom(dir)
    assert.equal([first.code, first.stderr, first.stdout], [0, '', dry.stdout])
    assert.match(
      first.stdout,
      /^--- \/dev\/null\n\+\+\+ …\/clusters\/cluster-9\/talenv\.yaml\n@@ -0,0 \+1,11 @@\n\+"cluster":/,
    )
    assert.is(statSync(talenv).mode & 0o777, 0o644)
    const { ino } = statSync(talenv)

    assert.equal(importFrom(dir), { code: 0, stdout: '', stderr: '' })
    assert.is(statSync(talenv).ino, ino, 'the file was not touched')

    makeModule('module', CLUSTER('v1.13.9'))
    const second = importFrom(dir)
    assert.is(second.code, 0)
    const changed = second.stdout.split('\n').filter((line) => /^[-+] /.test(line))
    assert.equal(changed, ['-  "talosVersion": "v1.13.8"', '+  "talosVersion": "v1.13.9"'])
    assert.equal(readdirSync(join(folder, 'clusters', 'cluster-9')), ['talenv.yaml'])

    const json = JSON.parse(importFrom(dir, ['--output', 'json']).stdout)
    assert.equal([json.v, json.cluster, json.changed, json.diff], [1, 'cluster-9', false, ''])
  },
)

withTerraform('writes nothing of an output that is wrong, and names every mistake with its line', () => {
  const before = existsSync(talenv) ? readFileSync(talenv, 'utf8') : undefined
  const ended = importFrom(makeModule('wrong', CLUSTER('v1.x').replace('id = 9', 'id = 8')))
  assert.equal([ended.code, ended.stdout], [65, ''])
  assert.match(ended.stderr, /^terraform output talenv_yaml:3:9: cluster\.id is 8, but the folder is called cluster-9/m)
  assert.match(ended.stderr, /^terraform output talenv_yaml:6:\d+: .*is not a version/m)
  assert.is(existsSync(talenv) ? readFileSync(talenv, 'utf8') : undefined, before)
})

withTerraform(
  'says what to type where the real terraform has no such output, no state, or another kind of value',
  () => {
    for (const [dir, said] of [
      [makeModule('other', undefined), /^…\/other has no output talenv_yaml .*terraform -chdir=…\/other apply/],
      [makeModule('unapplied', CLUSTER('v1.13.9'), false), /^…\/unapplied has no output talenv_yaml/],
      [makeModule('object', '{ a = 1 }'), /^the output talenv_yaml of …\/object is no text but an object .*yamlencode/],
      [makeModule('empty', '""'), /^the output talenv_yaml of …\/empty is empty/],
    ] as const) {
      const ended = importFrom(dir)
      assert.equal([ended.code, ended.stdout], [65, ''], dir)
      assert.match(ended.stderr, said)
    }
  },
)

withTerraform('says so where the real terraform can not read its state', () => {
  const dir = makeModule('uninitialised', CLUSTER('v1.13.9'), false)
  const backend = 'terraform {\n  backend "s3" {\n    bucket = "b"\n    key = "k"\n    region = "r"\n  }\n}\n'
  writeFileSync(join(dir, 'backend.tf'), backend)
  const ended = importFrom(dir)
  assert.is(ended.code, 69)
  assert.match(
    ended.stderr,
    /^terraform output in …\/uninitialised: Error: Backend initialization.* \(terraform -chdir=…\/uninitialised init\)$/m,
  )
})

test('takes the program that TERRAFORM names, runs it in the module, and hands it what finds its state', () => {
  const asked = join(folder, 'asked')
  const path = fake('mine', `echo "$PWD $* $TF_WORKSPACE [$OTHER_TOKEN]" > ${asked}; echo '"x: 1"'`)
  const ended = importFrom(folder, [], { TERRAFORM: path, TF_WORKSPACE: 'prod', OTHER_TOKEN: 'secret' })
  assert.is(ended.code, 65)
  assert.is(readFileSync(asked, 'utf8'), `${folder} output -no-color -json talenv_yaml prod []\n`)
})

test('takes tofu where there is no terraform, and says so where there is neither', () => {
  const tofu = fake('tofu', 'echo "Error: locked by somebody" >&2; exit 1')

  const path = (PATH: string) => ({ PATH, TERRAFORM: '' })
  const locked = importFrom(folder, [], path(join(tofu, '..')))
  assert.equal(
    [locked.code, locked.stderr],
    [69, `tofu output in …: Error: locked by somebody (tofu -chdir=… output)\n`],
  )
  assert.match(importFrom(folder, [], path('/nowhere')).stderr, /^neither terraform nor tofu is on PATH/)
  const named = importFrom(folder, [], { TERRAFORM: '/nowhere/terraform' })
  assert.equal(
    [named.code, named.stderr],
    [69, 'TERRAFORM names /nowhere/terraform, which can not be run (unset TERRAFORM)\n'],
  )
})

test('does not take a warning of old releases for the output, and shows no secret of a broken one', () => {
  const warning = fake('warns', `printf '\\nWarning: No outputs found\\n'`)
  assert.is(importFrom(folder, [], { TERRAFORM: warning }).code, 65)
  const leaks = fake('leaks', 'echo "Error: denied for https://user:hunter2hunter2@state.example.org/" >&2; exit 1')
  const ended = importFrom(folder, [], { TERRAFORM: leaks })
  assert.is(ended.code, 69)
  assert.not.match(ended.stderr, /hunter2/)
})

test('wants the folder of a module, and an id that can be one', () => {
  const ended = importFrom(join(folder, 'nowhere'))
  assert.is(ended.code, 64)
  assert.match(ended.stderr, /^there is no folder …\/nowhere/)
  const argv = ['--import', 'tsx', 'workflows/import-terraform.ts', '--cluster', '../9']
  const { status, stderr } = spawnSync(process.execPath, argv, { cwd: root, encoding: 'utf8' })
  assert.is(status, 64)
  assert.is(
    stderr,
    'cluster-../9 can be no cluster (--cluster <id>)\n--terraform-dir is missing (--terraform-dir <path>)\n',
  )
})

test.run()
