import { packageRoot } from '../declaration/layout.ts'
import { shellWord } from './shell-word.ts'

/** The command line of a workflow about one cluster (`101` or `cluster-101`) below `dir`, as one types it. */
export const workflowCommand = (name: string, cluster: string, dir: string): string =>
  `node --import tsx workflows/${name}.ts --cluster ${shellWord(cluster.replace(/^cluster-/, ''))}${
    dir === packageRoot ? '' : ` --dir ${shellWord(dir)}`
  }`
