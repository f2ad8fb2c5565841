import {
  array,
  boolean,
  check,
  type InferOutput,
  integer,
  minValue,
  nonEmpty,
  number,
  optional,
  picklist,
  pipe,
  regex,
  string,
  transform,
  tuple,
  union,
} from 'valibot'
import type { DrainPolicy, Gate, Operations, TemplateOptions } from '../cluster.ts'
import { parseDuration } from '../parse-duration.ts'
import type { Problem } from '../problem.ts'
import { skipSelector } from '../skip-selector.ts'
import { checkShape } from './check-shape.ts'
import { locate } from './locate.ts'
import { talosContract } from './talos-contract.ts'
import { yamlMap } from './yaml-map.ts'
import { readYaml, type SourceText, type YamlPath } from './yaml-source.ts'

const count = (least: number) =>
  pipe(number(), integer('is not a whole number'), minValue(least, `is less than ${least}`))

const duration = pipe(
  string(),
  check((text) => parseDuration(text) !== undefined, 'is not a duration such as 90s, 10m or 1h30m'),
  transform((text) => parseDuration(text) ?? 0),
)

const share = pipe(
  string(),
  regex(/^([1-9]\d?|100)%$/, 'is neither a whole number nor a share such as 25%'),
  transform((text) => text as `${number}%`),
)

const upgrade = {
  maxUnavailable: optional(union([count(1), share], 'is neither a whole number above 0 nor a share such as 25%'), 1),
  workersBesideControlPlanes: optional(boolean(), false),
  soak: optional(duration, '5s'),
  pullParallelism: optional(count(1), 4),
  factory: optional(
    pipe(string(), regex(/^[a-z0-9.-]+(:\d+)?$/, 'is not a host name such as factory.talos.dev')),
    'factory.talos.dev',
  ),
}
const etcd = {
  acceptOutage: optional(boolean(), false),
  lagBound: optional(count(0), 1000),
  keepSnapshots: optional(count(1), 10),
}
const upgradeShape = yamlMap(upgrade)
const drain = {
  enabled: optional(boolean(), true),
  timeout: optional(duration, '10m'),
  detachTimeout: optional(duration, '5m'),
  force: optional(boolean(), false),
  disableEviction: optional(boolean(), false),
  skip: optional(
    pipe(
      string(),
      check(
        (text) => skipSelector(text) !== undefined,
        'is not one requirement of a label selector, such as app=x, app or app in (x, y)',
      ),
    ),
  ),
  liftedBudgets: optional(
    array(pipe(string(), regex(/^[a-z0-9.*-]+\/[a-z0-9.*-]+$/, 'is not namespace/name, with * for anything'))),
    [],
  ),
  whenBlocked: optional(picklist(['refuse', 'try']), 'refuse'),
  whenGivenUp: optional(picklist(['stop', 'continue']), 'stop'),
}
const drainShape = yamlMap(drain)
const access = {
  lease: optional(picklist(['keep', 'skip']), 'keep'),
}
const gate = {
  name: pipe(string(), nonEmpty('is empty')),
  resource: pipe(string(), nonEmpty('is empty')),
  for: pipe(
    string(),
    regex(/^(condition=.|jsonpath=.|delete$|create$)/, 'is not what kubectl wait --for takes, such as condition=Ready'),
  ),
  namespace: optional(pipe(string(), nonEmpty('is empty'))),
  selector: optional(pipe(string(), nonEmpty('is empty'))),
  timeout: optional(duration, '10m'),
}
const gateShape = yamlMap(gate)
const marks = tuple([pipe(string(), nonEmpty('is empty')), pipe(string(), nonEmpty('is empty'))])
const delimiters = { block: marks, variable: marks, comment: marks }
const templates = {
  engine: optional(picklist(['minijinja', 'jinja2']), 'minijinja'),
  trimBlocks: optional(boolean(), false),
  lstripBlocks: optional(boolean(), false),
  keepTrailingNewline: optional(boolean(), true),
  undefined: optional(picklist(['strict', 'chainable', 'default']), 'strict'),
  delimiters: optional(yamlMap(delimiters)),
}
const templatesShape = yamlMap(templates)
const generate = {
  mode: optional(picklist(['metal', 'cloud', 'container']), 'metal'),
  ciliumValues: optional(string()),
  contract: optional(talosContract),
}
const deadlines = {
  observe: optional(duration, '20s'),
  pull: optional(duration, '10m'),
  install: optional(duration, '10m'),
  reboot: optional(duration, '15m'),
  ready: optional(duration, '10m'),
  etcd: optional(duration, '10m'),
  snapshot: optional(duration, '5m'),
}
const operations = {
  upgrade: optional(upgradeShape, {}),
  etcd: optional(yamlMap(etcd), {}),
  drain: optional(drainShape, {}),
  access: optional(yamlMap(access), {}),
  gates: optional(array(gateShape), []),
  templates: optional(templatesShape, {}),
  generate: optional(yamlMap(generate), {}),
  deadlines: optional(yamlMap(deadlines), {}),
  after: optional(pipe(string(), nonEmpty('is empty'))),
}

/**
 * The policy of operations.yaml with its defaults; all of it is optional, the file too. Unlike in talenv.yaml a key that
 * is not known is a mistake: nothing but us reads this file, and a mistyped limit would silently not be one.
 */
export function parseOperations(text?: SourceText): { value?: Operations; problems: Problem[] } {
  const source = readYaml(text ?? { path: 'operations.yaml', text: '{}' })
  if (source.value === undefined) return { problems: source.problems }
  // a file whose every line is a comment is how operations.yaml starts out
  const filled = { ...source, value: source.value ?? {} }
  const mistakes = (at: YamlPath, keys: object) => ({ at, keys: Object.keys(keys), others: 'mistakes' }) as const
  const { value, problems } = checkShape(filled, yamlMap(operations), [
    mistakes([], operations),
    mistakes(['upgrade'], upgrade),
    mistakes(['etcd'], etcd),
    mistakes(['drain'], drain),
    mistakes(['access'], access),
    ...locate(filled)
      .get('gates')
      .items()
      .map((_, index) => mistakes(['gates', index], gate)),
    mistakes(['templates'], templates),
    mistakes(['templates', 'delimiters'], delimiters),
    mistakes(['generate'], generate),
    mistakes(['deadlines'], deadlines),
  ])
  const all = [...source.problems, ...problems]
  if (value === undefined || all.length > 0) return { problems: all }
  return {
    problems: [],
    value: {
      upgrade: upgradePolicy(value.upgrade),
      drain: drainPolicy(value.drain),
      access: value.access,
      gates: value.gates.map(gateOf),
      etcd: value.etcd,
      generate: {
        mode: value.generate.mode,
        ...(value.generate.ciliumValues !== undefined && { ciliumValues: value.generate.ciliumValues }),
        ...(value.generate.contract !== undefined && { contract: value.generate.contract }),
      },
      templates: templateOptions(value.templates),
      deadlines: {
        observeMs: value.deadlines.observe,
        pullMs: value.deadlines.pull,
        installMs: value.deadlines.install,
        rebootMs: value.deadlines.reboot,
        readyMs: value.deadlines.ready,
        etcdMs: value.deadlines.etcd,
        snapshotMs: value.deadlines.snapshot,
      },
      ...(value.after !== undefined && { after: value.after }),
    },
  }
}

function upgradePolicy({ soak, ...policy }: InferOutput<typeof upgradeShape>): Operations['upgrade'] {
  return { ...policy, soakMs: soak }
}

function drainPolicy({ timeout, detachTimeout, skip, ...policy }: InferOutput<typeof drainShape>): DrainPolicy {
  return { ...policy, timeoutMs: timeout, detachMs: detachTimeout, ...(skip === undefined ? {} : { skip }) }
}

function gateOf({ timeout, namespace, selector, ...rest }: InferOutput<typeof gateShape>): Gate {
  return {
    ...rest,
    timeoutMs: timeout,
    ...(namespace === undefined ? {} : { namespace }),
    ...(selector === undefined ? {} : { selector }),
  }
}

/** Without delimiters rather than with undefined ones. */
function templateOptions({ delimiters, ...options }: InferOutput<typeof templatesShape>): TemplateOptions {
  return { ...options, ...(delimiters && { delimiters }) }
}
