/** stand-in until the real one lands */
export const unregistered = (_talconfig: string, _stateDir: string): string[] => []
