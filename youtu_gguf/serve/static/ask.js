/** The ask line. */
export const askLine = () => "";
