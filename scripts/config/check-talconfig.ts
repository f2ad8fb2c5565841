import type { ErrorObject } from 'ajv'
import { misfit, pathText, show } from '../../workflows/model/declaration/misfit.ts'
import type { YamlPath, YamlSource } from '../../workflows/model/declaration/yaml-source.ts'
import { nearest } from '../../workflows/model/nearest.ts'
import type { Problem } from '../../workflows/model/problem.ts'
import type { TalconfigSchema } from './talconfig-schema.ts'

/**
 * Holds talconfig.yaml against talhelper's own schema, and finds what talhelper does not: it passes over keys that it does
 * not know. Where a variable stands for something other than text, nobody can tell before it is replaced.
 */
export async function checkTalconfig(source: YamlSource, schema: TalconfigSchema): Promise<Problem[]> {
  if (source.value === undefined) return source.problems
  // ajv takes 40 ms to load, which nothing else is to pay for
  const { Ajv2020 } = await import('ajv/dist/2020.js')
  // looking over the schema and over the code that is made of it takes ajv longer than using it once
  const ajv = new Ajv2020({
    allErrors: true,
    verbose: true,
    strict: false,
    validateFormats: false,
    validateSchema: false,
    meta: false,
    code: { optimize: false },
  })
  const validate = ajv.compile(schema)
  validate(source.value)
  const found = (validate.errors ?? []).flatMap((error) => problemOf(source, error))
  return [...source.problems, ...found].sort((a, b) => a.line - b.line || a.col - b.col)
}

/** What is easily taken for a key of talhelper, with the keys that do it. */
const MISTAKEN: Readonly<Record<string, string>> = {
  extensions: 'schematic: {customization: {systemExtensions: {officialExtensions: [siderolabs/<name>]}}}',
  network: 'networkInterfaces: [{interface: <name>, addresses: [], routes: []}] and nameservers: []',
  installExtensions: 'schematic: {customization: {systemExtensions: {officialExtensions: [siderolabs/<name>]}}}',
  kernelArgs: 'schematic: {customization: {extraKernelArgs: []}}',
  vip: 'networkInterfaces: [{interface: <name>, vip: {ip: <address>}}]',
}

function problemOf(source: YamlSource, error: ErrorObject): Problem[] {
  const path = pathOf(error.instancePath)
  const name = pathText(path)
  const value = error.data
  const params = error.params as Record<string, unknown>
  // each of the two disk keys is asked for within a oneOf, which is told as a whole
  if (error.schemaPath.includes('/oneOf/')) return []
  switch (error.keyword) {
    case 'required':
      return [
        source.problem([...path, String(params.missingProperty)], `${dotted(name, params.missingProperty)} is missing`),
      ]
    case 'additionalProperties': {
      const key = String(params.additionalProperty)
      const known = Object.keys((error.parentSchema as { properties?: object } | undefined)?.properties ?? {})
      const meant = nearest(
        key,
        known.filter((one) => !(one in (value as object))),
      )
      return [
        source.keyProblem(
          [...path, key],
          `${dotted(name, key)} is not a key that talhelper knows`,
          (Object.hasOwn(MISTAKEN, key) ? MISTAKEN[key] : undefined) ??
            (meant === undefined ? 'talhelper would pass over it' : `did you mean ${meant}?`),
        ),
      ]
    }
    case 'type': {
      // what a variable holds is known when it is replaced
      if (typeof value === 'string' && /(^|[^$])\$[\w{]/.test(value)) return []
      if (value === null) return []
      const types = [params.type].flat().flatMap((type) => EXPECTED[String(type)] ?? [])
      return [source.problem(path, ...misfit(name, types, value))]
    }
    case 'enum':
      return [
        source.problem(
          path,
          `${name} should be one of ${(params.allowedValues as unknown[]).join(', ')}, not ${show(value)}`,
        ),
      ]
    case 'oneOf':
      return params.passingSchemas === null
        ? [
            source.problem(
              [...path, 'installDisk'],
              `${name} has neither installDisk nor installDiskSelector`,
              'installDisk: /dev/sda',
            ),
          ]
        : [
            source.keyProblem(
              [...path, 'installDiskSelector'],
              `${name} has an installDisk and an installDiskSelector`,
              'keep one of them',
            ),
          ]
    default:
      return [source.problem(path, `${name} ${error.message ?? 'does not fit'}`)]
  }
}

const EXPECTED: Record<string, string> = {
  string: 'text',
  boolean: 'true or false',
  integer: 'a number',
  number: 'a number',
  object: 'a map',
  array: 'a list',
}

const dotted = (name: string, key: unknown): string => (name ? `${name}.${key}` : String(key))

/** `/nodes/0/hostname`, with `~1` for a slash */
const pathOf = (pointer: string): YamlPath =>
  pointer
    .split('/')
    .slice(1)
    .map((key) => (/^\d+$/.test(key) ? Number(key) : key.replaceAll('~1', '/').replaceAll('~0', '~')))
