/** Folders of patches that are for more than one node, so no node can be called like one. */
export const PATCH_SCOPES = ['global', 'controller', 'worker'] as const
