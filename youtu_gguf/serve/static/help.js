/** Help. */
export const helpDialog = () => "";
