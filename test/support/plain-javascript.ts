import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build, type Plugin } from 'esbuild'

const folders = ['workflows', 'scripts', 'lab', 'test']

/** What NODE_OPTIONS has to be for `node --import tsx <file of ours>` to run that file from `folder`. */
export const nodeOptionsOf = (folder: string): string => `--require=${starterIn(folder)}`
const starterIn = (folder: string): string => join(folder, 'start-plain.cjs')

/**
 * Writes every file of ours as JavaScript into `folder`, where start-plain.ts finds it: tsx takes longer to start than most
 * tests to run. A file still believes to be where its source is.
 */
export async function writePlainJavaScript(root: string, folder: string): Promise<void> {
  mkdirSync(folder)
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }))
  const files = folders.flatMap((name) =>
    readdirSync(join(root, name), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => join(root, name, file)),
  )
  // a bundle of one file each: only so are the names of what it imports written anew
  const each = { bundle: true, packages: 'external', platform: 'node', target: 'node20', outbase: root } as const
  await build({
    ...{ ...each, entryPoints: files, outdir: folder, format: 'esm', sourcemap: 'linked', plugins: [own] },
    define: {
      'import.meta.dirname': '__here.dirname',
      'import.meta.filename': '__here.filename',
      'import.meta.url': '__here.url',
    },
  })
  await build({
    ...{
      ...each,
      entryPoints: [join(import.meta.dirname, 'start-plain.ts')],
      outfile: starterIn(folder),
      format: 'cjs',
    },
    define: { 'process.env.SOURCES': JSON.stringify(root), 'process.env.JAVASCRIPT': JSON.stringify(folder) },
  })
}

const own: Plugin = {
  name: 'own',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^\./ }, ({ path }) => ({ path: path.replace(/\.ts$/, '.js'), external: true }))
    onLoad({ filter: /\.ts$/ }, ({ path }) => {
      const here = { dirname: dirname(path), filename: path, url: pathToFileURL(path).href }
      const text = readFileSync(path, 'utf8')
      const before = text.includes('import.meta.') ? `const __here = ${JSON.stringify(here)};` : ''
      return { contents: before + text, loader: 'ts' }
    })
  },
}
