import * as v from 'valibot'
import { type Failure, failure, type Result } from '../../workflows/model/failure.ts'
import { type RegisteredAt, rememberRegistered, unregistered } from './registered.ts'
import type { Schematic } from './schematic.ts'

export type Registration = RegisteredAt & {
  timeoutMs: number
  fetch?: typeof fetch
}

/** What a registration did: ids that were posted, and ids that the factory had been given before. */
export type Registered = { posted: string[]; known: string[] }

/** A host means https. */
export const factoryUrl = (factory: string): string =>
  (/^https?:\/\//.test(factory) ? factory : `https://${factory}`).replace(/\/+$/, '')

const answer = v.object({ id: v.string() })

/**
 * Makes an Image Factory know schematics, each posted once: without that an installer whose id was computed here can not
 * be pulled. A failed one keeps no other from being posted. Fails with `factory-unavailable` once for each that failed, also
 * when the factory names it otherwise than we do, because then every image that was generated is another one.
 */
export async function registerSchematics(
  schematics: readonly Schematic[],
  { factory, cacheFile, timeoutMs, fetch: send = fetch }: Registration,
): Promise<Result<Registered, Failure[]>> {
  const at = { factory: factoryUrl(factory), cacheFile }
  const distinct = new Map(schematics.map((schematic) => [schematic.id, schematic]))
  const missing = unregistered([...distinct.keys()], at)
  const answers = await Promise.all(
    [...distinct.values()]
      .filter(({ id }) => missing.includes(id))
      .map(async (schematic) => ({
        id: schematic.id,
        trouble: await post(schematic, at.factory, timeoutMs, send),
      })),
  )
  const posted = answers.filter(({ trouble }) => trouble === undefined).map(({ id }) => id)
  const remembered = posted.length > 0 ? rememberRegistered(posted, at) : undefined
  const failures = answers.flatMap(({ id, trouble }) =>
    trouble === undefined
      ? []
      : [
          failure('factory-unavailable', {
            detail: `schematic ${id.slice(0, 12)}… at ${at.factory}: ${trouble}`,
          }),
        ],
  )
  if (remembered?.ok === false) failures.push(remembered.failure)
  if (failures.length > 0) return { ok: false, failure: failures }
  return { ok: true, value: { posted, known: [...distinct.keys()].filter((id) => !missing.includes(id)) } }
}

/** Posts one; says what went wrong. */
async function post(
  { id, text }: Schematic,
  factory: string,
  timeoutMs: number,
  send: typeof fetch,
): Promise<string | undefined> {
  try {
    const response = await send(`${factory}/schematics`, {
      method: 'POST',
      headers: { 'content-type': 'application/yaml' },
      body: text,
      signal: AbortSignal.timeout(timeoutMs),
    })
    const body = await response.text()
    if (!response.ok) return `it answered ${response.status}${response.statusText ? ` ${response.statusText}` : ''}`
    const said = v.safeParse(answer, parsed(body))
    if (!said.success) return 'its answer can not be read'
    return said.output.id === id ? undefined : `it calls it ${said.output.id.slice(0, 64)}`
  } catch (error) {
    const { name, message, cause } = error as Error & { cause?: { code?: string; message?: string } }
    if (name === 'TimeoutError') return `it did not answer within ${timeoutMs / 1000} s`
    return cause?.code ?? cause?.message ?? message
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
