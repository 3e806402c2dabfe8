/** Keeps records of pictures and their answers in this browser's IndexedDB. It knows nothing of the page or the server. */

/**
 * @typedef {object} PictureRecord A picture and what was asked about it.
 * @property {string} id
 * @property {string} name
 * @property {number} time Of the last change, in milliseconds.
 * @property {number} width
 * @property {number} height
 * @property {string | null} image Id of the picture at the server.
 * @property {Blob | null} thumbnail
 * @property {number} bytes Size of the picture's file.
 * @property {boolean} hasFile Whether the file is kept too.
 * @property {KeptCard[]} cards The newest first.
 */

/** @typedef {Pick<import("./store.js").Card, "question" | "image" | "text" | "result" | "began" | "ended"> & {stage: "done" | "stopped" | "failed"}} KeptCard */

const NAME = "youtu-gguf";
const VERSION = 1;

/** @type {Promise<IDBDatabase> | null} */
let opened = null;

/** @returns {Promise<IDBDatabase>} */
function database() {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, VERSION);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("records", { keyPath: "id" });
      request.result.createObjectStore("files");
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error("another window holds the history open"));
  });
  opened.catch(() => (opened = null)); // the next call tries again
  return opened;
}

/**
 * @template T
 * @param {IDBTransactionMode} mode
 * @param {(records: IDBObjectStore, files: IDBObjectStore) => IDBRequest<T> | void} work
 * @returns {Promise<T | undefined>} What the request of `work` gives, once all of it is written.
 */
async function within(mode, work) {
  const transaction = (await database()).transaction(["records", "files"], mode);
  return new Promise((resolve, reject) => {
    const request = work(transaction.objectStore("records"), transaction.objectStore("files"));
    transaction.oncomplete = () => resolve(request?.result);
    transaction.onabort = transaction.onerror = () => reject(transaction.error);
  });
}

/**
 * @param {PictureRecord} record
 * @param {Blob | null} file The picture, to be kept with it; null leaves what is kept.
 */
export async function putRecord(record, file) {
  await within("readwrite", (records, files) => {
    records.put(record);
    if (file) files.put(file, record.id);
  });
}

/** @returns {Promise<PictureRecord[]>} The newest first. */
export async function allRecords() {
  const found = (await within("readonly", (records) => records.getAll())) ?? [];
  return found.sort((a, b) => b.time - a.time);
}

/** @param {string} id @returns {Promise<Blob | null>} */
export async function fileOf(id) {
  return (await within("readonly", (_, files) => files.get(id))) ?? null;
}

/** @param {string} id */
export async function deleteRecord(id) {
  await within("readwrite", (records, files) => {
    records.delete(id);
    files.delete(id);
  });
}

/** Delete all records and files. */
export async function deleteAll() {
  await within("readwrite", (records, files) => {
    records.clear();
    files.clear();
  });
}
