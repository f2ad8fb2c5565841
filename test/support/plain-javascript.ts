import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type BuildOptions, build, type Plugin } from 'esbuild'

/** What tests start, and what they load before; with whatever else it runs by tsx, as what reaches into a module of ours must. */
const started =
  /^(workflows\/[^/]+|lab\/daemon|scripts\/(demo|toolchain\/get-tools)|test\/support\/(place-and-die|die-after-record|hold-outcome|clock-ahead))\.ts$/

/** Packages that take long to load as they are, and are nothing but JavaScript. */
const bundled = [
  'chalk',
  'damerau-levenshtein',
  'diff',
  'ipaddr.js',
  'listr2',
  'p-limit',
  'semver',
  'valibot',
  'xstate',
  'yaml',
  'zx',
]

/** What NODE_OPTIONS has to be for `node --import tsx <file of ours>` to run that file from `folder`. */
export const nodeOptionsOf = (folder: string): string => `--require=${starterIn(folder)}`

const starterIn = (folder: string): string => join(folder, 'start-plain.cjs')

/**
 * Writes what tests start as JavaScript into `folder`, where start-plain.ts finds it: tsx and the many files take longer to
 * load than most tests to run. A file still believes to be where its source is.
 */
export async function writePlainJavaScript(root: string, folder: string): Promise<void> {
  mkdirSync(folder)
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }))
  const files = ['workflows', 'scripts', 'lab', 'test'].flatMap((name) =>
    readdirSync(join(root, name), { recursive: true, encoding: 'utf8' }).map((file) => `${name}/${file}`),
  )
  const each: BuildOptions = { bundle: true, platform: 'node', target: 'node20' }
  const ours: BuildOptions = {
    ...each,
    outbase: root,
    outdir: folder,
    format: 'esm',
    sourcemap: 'linked',
    plugins: [own],
    // what packages of the older kind ask for
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
    define: {
      'import.meta.dirname': '__here.dirname',
      'import.meta.filename': '__here.filename',
      'import.meta.url': '__here.url',
    },
  }
  const those = (names: RegExp) => files.filter((file) => names.test(file)).map((file) => join(root, file))
  // one file loads soonest, and of many tests that would be much to write
  await build({ ...ours, entryPoints: those(started) })
  await build({ ...ours, entryPoints: those(/\.test\.ts$/), splitting: true, chunkNames: 'shared/[hash]' })
  await build({
    ...each,
    entryPoints: [join(import.meta.dirname, 'start-plain.ts')],
    outfile: starterIn(folder),
    format: 'cjs',
    define: { 'process.env.SOURCES': JSON.stringify(root), 'process.env.JAVASCRIPT': JSON.stringify(folder) },
  })
}

const own: Plugin = {
  name: 'own',
  setup({ onResolve, onLoad }) {
    // a package by its name, as one of ours names it; what it asks for itself comes with it
    onResolve({ filter: /^[^./]/ }, ({ path, importer }) => {
      const isOurs = importer.endsWith('.ts') && !importer.includes('/node_modules/')
      return isOurs && !bundled.some((name) => path === name || path.startsWith(`${name}/`))
        ? { path, external: true }
        : undefined
    })
    onLoad({ filter: /\.ts$/ }, ({ path }) => {
      const here = { dirname: dirname(path), filename: path, url: pathToFileURL(path).href }
      const text = readFileSync(path, 'utf8')
      const before = text.includes('import.meta.') ? `const __here = ${JSON.stringify(here)};` : ''
      return { contents: before + text, loader: 'ts' }
    })
  },
}
