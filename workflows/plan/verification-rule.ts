/**
 * The rule, of those with these patterns, that a node pulls the image by: the first whose pattern fits registry and repository, never tag or digest
 * (internal/pkg/containers/image/verify/rules.go). Rules are named after their places. Talos names it where it denies an image, and not where a signature is
 * missing.
 */
export function ruleFor(image: string, patterns: readonly string[]): { id: string; pattern: string } | undefined {
  const repository = inFull(image.replace(/@.*$/, '').replace(/:[^:/]*$/, ''))
  const place = patterns.findIndex((pattern) => pattern !== '' && globOf(pattern).test(repository))
  const pattern = patterns[place]
  return pattern === undefined ? undefined : { id: String(place).padStart(4, '0'), pattern }
}

const globOf = (pattern: string): RegExp => {
  const parts = lowerCaseDomain(pattern).split('*')
  return new RegExp(`^${parts.map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&')).join('.*')}$`)
}

/** With its registry: what names none is on Docker Hub, which goes by three names. */
function inFull(repository: string): string {
  const [first = '', ...rest] = repository.split('/')
  const isRegistry = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost')
  const whole = isRegistry ? repository : `docker.io/${rest.length === 0 ? 'library/' : ''}${repository}`
  return lowerCaseDomain(whole)
}

const lowerCaseDomain = (word: string): string =>
  word
    .replace(/^[^/*]*/, (domain) => domain.toLowerCase())
    .replace(/^(index|registry-1)\.docker\.io(?=[/*]|$)/, 'docker.io')
