import { dirname, join } from 'node:path'
import * as v from 'valibot'
import type { Disk } from './disk.ts'
import { plainName, remembered } from './placed-before.ts'
import { type Places, placingFiles, stagedName } from './places.ts'

/** All that is left to do once every new file lies on disk. Whoever finds it can finish it, any number of times. */
export const placingManifest = v.object({
  v: v.literal(1),
  /** folder in `.run` that the new files lie in */
  staging: plainName,
  moves: v.array(plainName),
  removals: v.array(plainName),
  /** what is remembered afterwards */
  placed: remembered,
})

export type PlacingManifest = v.InferOutput<typeof placingManifest>

/** Carries a manifest out, or what is left of it. The order is what makes a crash harmless; throws what the disk says. */
export function carryOutPlacing(places: Places, manifest: PlacingManifest, disk: Disk): void {
  const { outDir, stateDir } = places
  const files = placingFiles(places)
  const staging = join(stateDir, manifest.staging)
  const names = [...manifest.moves, ...manifest.removals]
  // outer ones first; each of them may be new
  const folders = [...new Set(names.flatMap(foldersOf))].sort().map((folder) => join(outDir, folder))
  for (const folder of folders) disk.makeFolder(folder)
  for (const name of manifest.moves) disk.move(join(staging, stagedName(name)), join(outDir, name))
  for (const name of manifest.removals) disk.remove(join(outDir, name))
  for (const folder of new Set([...folders, outDir])) disk.sync(folder)
  writeState(files.placed, manifest.placed, disk)
  disk.remove(staging)
  disk.remove(files.manifest)
  disk.sync(stateDir)
}

const foldersOf = (name: string): string[] => (name === '.' ? [] : [dirname(name), ...foldersOf(dirname(name))])

/** Replaces a file of ours in `.run` as a whole, durably. */
export function writeState(path: string, content: unknown, disk: Disk): void {
  // two processes may finish the same placing
  const draft = `${path}.${process.pid}.draft`
  disk.remove(draft)
  disk.create(draft, Buffer.from(`${JSON.stringify(content, undefined, 2)}\n`))
  disk.sync(draft)
  disk.move(draft, path)
  disk.sync(dirname(path))
}
