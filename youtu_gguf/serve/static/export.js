/** Files out. */
export const exportPanel = () => "";
