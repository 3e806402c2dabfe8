/** The start screen. */
export const startScreen = () => "";
export const readingBar = () => "";
/** @param {HTMLElement} _body */
export function takeDrops(_body) {}
