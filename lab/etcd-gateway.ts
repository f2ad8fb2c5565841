import { ApiError, type ApiErrorCode } from './lab-node.ts'

/** gRPC code numbers that etcd's JSON gateway answers with. */
const codes: Record<number, ApiErrorCode> = {
  3: 'INVALID_ARGUMENT',
  4: 'DEADLINE_EXCEEDED',
  5: 'NOT_FOUND',
  7: 'PERMISSION_DENIED',
  9: 'FAILED_PRECONDITION',
  12: 'UNIMPLEMENTED',
  14: 'UNAVAILABLE',
}

async function post(clientUrl: string, path: string, body: object, timeoutMs: number): Promise<Response> {
  try {
    return await fetch(`${clientUrl}${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(timeoutMs),
    })
  } catch (error) {
    if (error instanceof DOMException && error.name === 'TimeoutError') {
      throw new ApiError('DEADLINE_EXCEEDED', 'context deadline exceeded')
    }
    const address = new URL(clientUrl).host
    throw new ApiError(
      'UNAVAILABLE',
      `connection error: desc = "transport: Error while dialing: dial tcp ${address}: connect: connection refused"`,
    )
  }
}

async function refusal(response: Response): Promise<ApiError> {
  const { code, message } = (await response.json()) as { code?: number; message?: string }
  return new ApiError(codes[code ?? 0] ?? 'UNKNOWN', message ?? `etcd answered ${response.status}`)
}

/**
 * One call of etcd's JSON gateway. 64-bit numbers come back as decimal strings, zero values not at all.
 * Fails with an ApiError: UNAVAILABLE when nobody listens, DEADLINE_EXCEEDED, or what etcd said.
 */
export async function callEtcd<Reply>(
  clientUrl: string,
  path: string,
  body: object,
  options: { timeoutMs: number },
): Promise<Reply> {
  const response = await post(clientUrl, path, body, options.timeoutMs)
  if (!response.ok) throw await refusal(response)
  return (await response.json()) as Reply
}

/** The bytes of etcd's snapshot stream: the database, and its sha256 behind it. */
export async function* streamEtcdSnapshot(
  clientUrl: string,
  options: { timeoutMs: number },
): AsyncIterable<Uint8Array> {
  const response = await post(clientUrl, '/v3/maintenance/snapshot', {}, options.timeoutMs)
  if (!response.ok || response.body === null) throw await refusal(response)
  let rest = ''
  const decoder = new TextDecoder()
  for await (const chunk of response.body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) yield* blob(line)
  }
  yield* blob(rest)
}

function* blob(line: string): Iterable<Uint8Array> {
  if (line.trim() === '') return
  const { result, error } = JSON.parse(line) as { result?: { blob?: string }; error?: { message?: string } }
  if (error !== undefined) throw new ApiError('UNKNOWN', error.message ?? 'etcd broke the snapshot off')
  if (result?.blob !== undefined) yield Buffer.from(result.blob, 'base64')
}
