/** The answers. */
export const cardList = () => "";
