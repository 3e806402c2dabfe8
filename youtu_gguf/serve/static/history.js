/** What was asked before. */
export const historyScreen = () => "";
