import { type Method, unary } from './method.ts'

/** storage.StorageService: the disks, which a client also asks for to see whether a wiped node is back. */
export const storageService: Readonly<Record<string, Method>> = {
  '/storage.StorageService/Disks': unary<object>(
    { request: 'google.protobuf.Empty', response: 'storage.DisksResponse' },
    ({ node }) => ({
      messages: [
        {
          disks: node.state().disks.map((disk) => ({
            size: disk.sizeBytes,
            model: disk.model,
            device_name: disk.devPath,
            serial: disk.serial,
            wwid: disk.wwid,
            type: disk.rotational ? 'HDD' : disk.transport === 'nvme' ? 'NVME' : 'SSD',
            bus_path: disk.busPath,
            system_disk: disk.system,
            readonly: disk.readonly,
          })),
        },
      ],
    }),
  ),
}
