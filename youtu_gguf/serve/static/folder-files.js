/** The pictures among files that were dropped or chosen, each with a name of its own. */

const IMAGE = /\.(jpe?g|jfif|png|webp|gif|bmp|tiff?|avif|heic|heif)$/i;

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
 * @param {DataTransfer} transfer What was dropped.
 * @returns {Promise<File[]>} Its files, those of folders too.
 */
export async function filesOf(transfer) {
  const files = [...transfer.files]; // gone after the first wait
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.() ?? null);
  if (!entries.some((entry) => entry?.isDirectory)) return files;
  const found = await Promise.all(entries.map((entry) => (entry ? below(entry) : [])));
  return found.flat();
}

/**
 * @param {FileSystemEntry} entry
 * @returns {Promise<File[]>}
 */
async function below(entry) {
  if (entry.name.startsWith(".")) return [];
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => /** @type {FileSystemFileEntry} */ (entry).file(resolve, reject));
    paths.set(file, entry.fullPath.replace(/^\//, ""));
    return [file];
  }
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
  const found = [];
  for (;;) {
    /** @type {FileSystemEntry[]} */
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)); // a hundred at a time
    if (!some.length) return found;
    for (const one of some) found.push(...(await below(one)));
  }
}
