import { type Problem, warning } from '../../model/problem.ts'
import type { Subject } from './subject.ts'

/**
 * talhelper replaces variables in talconfig and in every patch, and renders patches as Go templates before. The search
 * leaves comments out, as talhelper does. `$_` and a `$` before anything but a name stay what they are.
 */
export const liveCharacters = ({ substituted, variables, patches }: Subject): Problem[] => [
  ...substituted.flatMap((source) =>
    source
      // a pair of them is one: looked for first, so that its second half starts no name
      .search(/\$\$|\$(?:\{([\p{L}\p{Nd}_]+)([^}]*)\}|([\p{L}\p{Nd}_]+))/gu)
      .flatMap(({ match, at }) => {
        const [written, braced, operator = '', bare] = match
        const name = braced ?? bare
        if (name === undefined || name === '_' || variables.includes(name)) return []
        // ${name:-text} and its like have something to put there
        if (/^:?[-=+]/.test(operator)) return []
        return [at(`talhelper replaces ${written}, and knows no variable ${name}`, `$${written} is a plain ${written}`)]
      }),
  ),
  ...patches
    .flatMap(({ sources }) => sources.flatMap((source) => source.search(/\{\{/g)))
    .map(({ at }) =>
      warning(at('talhelper takes {{ in a patch for the beginning of a Go template', '{{ "{{" }} is a plain {{')),
    ),
]
