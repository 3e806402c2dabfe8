/** What is under the pointer. */
export const readout = () => "";
