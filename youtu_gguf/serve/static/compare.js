/** Two results beside each other. */
export const compareScreen = () => "";
