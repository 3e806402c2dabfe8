/** About. */
export const aboutScreen = () => "";
