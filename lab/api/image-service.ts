import { message } from './message.ts'
import { type Method, streaming } from './method.ts'

/** machine.ImageService (Talos ≥ 1.13). The lab's nodes have one image store; the namespace makes no difference. */
export const imageService: Readonly<Record<string, Method>> = {
  '/machine.ImageService/Pull': streaming<{ image_ref: string }>(
    { request: 'machine.ImageServicePullRequest', response: 'machine.ImageServicePullResponse' },
    async function* ({ node, signal }, { image_ref: image }) {
      yield { name: await node.pullImage(image, signal) }
    },
  ),
  '/machine.ImageService/List': streaming<object>(
    { request: 'machine.ImageServiceListRequest', response: 'machine.ImageServiceListResponse' },
    async function* ({ node }) {
      for (const { name, digest, sizeBytes, createdAt } of node.images()) {
        yield { name, digest, size: sizeBytes, created_at: message.timestamp(createdAt) }
      }
    },
  ),
}
