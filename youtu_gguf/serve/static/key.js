/** The server's key. */
export const keyDialog = () => "";
export async function useKeyOfAddress() {}
