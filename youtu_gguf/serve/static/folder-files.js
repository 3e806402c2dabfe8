/** The pictures among files that were dropped or chosen, each with a name of its own. */

const IMAGE = /\.(jpe?g|jfif|png|webp|gif|bmp|tiff?|avif|hei[cf]|hif)$/i;

/** @param {File} file */
export const isImage = (file) => file.type.startsWith("image/") || IMAGE.test(file.name);

/**
 * @param {File[]} files
 * @param {Set<string>} taken Names that others have.
 * @returns {{name: string, file: File}[]} In the order of their names, numbers as numbers: 2.jpg before 10.jpg.
 */
export function named(files, taken) {
  const names = new Set(taken);
  const sorted = files
    .map((file) => ({ name: file.webkitRelativePath || paths.get(file) || file.name, file }))
    .sort((one, other) => one.name.localeCompare(other.name, undefined, { numeric: true }));
  return sorted.map(({ name, file }) => {
    let own = name;
    for (let n = 2; names.has(own); n += 1) own = name.replace(/(\.[^./]*)?$/, (suffix) => ` (${n})${suffix}`);
    names.add(own);
    return { name: own, file };
  });
}

/** Where files of a dropped folder are in it. @type {WeakMap<File, string>} */
const paths = new WeakMap();

/**
 * Note where a file of a dropped folder is, which it does not say itself.
 *
 * @param {File} file
 * @param {string} path
 */
export function notePath(file, path) {
  paths.set(file, path.replace(/^\//, ""));
}
