/** The picture. */
/** @param {HTMLElement} _host */
export function mountViewer(_host) {}
