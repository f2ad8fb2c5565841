import * as v from 'valibot'
import { parseDocument } from 'yaml'
import { operators } from './kubernetes/operator.ts'
import { defaultTimings } from './timings.ts'

const vanillaSchematic = '376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba'

const seconds = v.pipe(v.number(), v.minValue(0))
const version = v.pipe(v.string(), v.regex(/^v\d+\.\d+\.\d+/, 'a version like v1.13.5'))

const disk = v.strictObject({
  devPath: v.string(),
  sizeBytes: v.number(),
  model: v.string(),
  serial: v.optional(v.string(), ''),
  wwid: v.optional(v.string(), ''),
  busPath: v.optional(v.string(), ''),
  transport: v.optional(v.string(), 'sata'),
  rotational: v.optional(v.boolean(), false),
  readonly: v.optional(v.boolean(), false),
  system: v.optional(v.boolean(), false),
})

const machine = v.strictObject({
  version: v.optional(version),
  schematic: v.optional(v.string()),
  kubernetesVersion: v.optional(version),
  platform: v.optional(v.string()),
  secureBoot: v.optional(v.boolean()),
  disks: v.optional(v.array(disk)),
})

const fault = v.strictObject({
  name: v.string(),
  node: v.string(),
  seconds: v.optional(seconds),
  times: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1))),
  exitCode: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(7))),
  when: v.optional(v.string()),
})

const file = v.strictObject({
  /** machine seconds that pass in a second */
  speed: v.optional(v.pipe(v.number(), v.minValue(0.1)), 1),
  timings: v.optional(
    v.strictObject({
      pullSeconds: v.optional(seconds, defaultTimings.pullSeconds),
      installSeconds: v.optional(seconds, defaultTimings.installSeconds),
      stopSeconds: v.optional(seconds, defaultTimings.stopSeconds),
      rebootSeconds: v.optional(seconds, defaultTimings.rebootSeconds),
      readySeconds: v.optional(seconds, defaultTimings.readySeconds),
    }),
    {},
  ),
  /** schematic id → extensions; images of other schematics are in no registry of the lab */
  schematics: v.optional(v.record(v.string(), v.array(v.string())), {}),
  /** what every machine is, unless `machines` says otherwise */
  machine: v.optional(machine, {}),
  machines: v.optional(v.record(v.string(), machine), {}),
  faults: v.optional(v.array(fault), []),
  kubernetes: v.optional(
    v.strictObject({
      /** false: no API server, and nodes that are ready by themselves */
      enabled: v.optional(v.boolean(), true),
      /** objects as kubectl takes them, applied before the lab counts as up */
      workloads: v.optional(
        v.array(
          v.looseObject({ apiVersion: v.string(), kind: v.string(), metadata: v.looseObject({ name: v.string() }) }),
        ),
        [],
      ),
      /** operators that the lab plays */
      operators: v.optional(v.array(v.picklist(operators)), []),
    }),
    {},
  ),
})

/** What lab.yaml says, with the defaults filled in. */
export type LabFile = v.InferOutput<typeof file>

/** How one machine starts, from `machine` and its own entry in `machines`. */
export type MachineSpec = {
  version: string
  schematic: string
  kubernetesVersion: string
  platform: string
  secureBoot: boolean
  disks: v.InferOutput<typeof disk>[]
}

/** Reads the text of lab.yaml; fails with an Error that lists every problem, by position or path. */
export function readLabFile(text: string): LabFile {
  const document = parseDocument(text)
  if (document.errors.length > 0)
    throw new Error(document.errors.map(({ message }) => `lab.yaml: ${message}`).join('\n'))
  const result = v.safeParse(file, document.toJS() ?? {})
  if (result.success) {
    return { ...result.output, schematics: { [vanillaSchematic]: [], ...result.output.schematics } }
  }
  throw new Error(
    result.issues.map((issue) => `lab.yaml: ${v.getDotPath(issue) ?? 'the whole'}: ${issue.message}`).join('\n'),
  )
}

/** Whether a lab of it runs servers of Kubernetes; not where it is wrong, which is for `readLabFile` to say. */
export function wantsKubernetes(text: string): boolean {
  try {
    return readLabFile(text).kubernetes.enabled
  } catch {
    return false
  }
}

/** The machine that lab.yaml describes for `name`; a Mac mini on v1.13.5 where it says nothing. */
export function machineSpec(lab: LabFile, name: string): MachineSpec {
  const spec = {
    version: 'v1.13.5',
    schematic: vanillaSchematic,
    kubernetesVersion: 'v1.36.1',
    platform: 'metal',
    secureBoot: false,
    disks: [
      {
        devPath: '/dev/sda',
        sizeBytes: 500_107_862_016,
        model: 'Portable SSD T5',
        serial: `T5-${name}`,
        wwid: '',
        busPath: '/pci0000:00/0000:00:14.0/usb2/2-1',
        transport: 'usb',
        rotational: false,
        readonly: false,
        system: true,
      },
    ],
  }
  return { ...spec, ...defined(lab.machine), ...defined(lab.machines[name] ?? {}) }
}

/** Entries with a value: an optional key that is present and undefined would hide the default. */
function defined<T extends object>(object: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as never
}
