/** Files out. */
export const exportPanel = () => "";
/** @param {string} _key */
export function openExport(_key) {}
