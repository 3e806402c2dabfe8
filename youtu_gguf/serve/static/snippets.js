/** Programs that ask what a card asked: Python with the package, Python over HTTP, and curl. Pure functions. */

/**
 * @typedef {object} Asked What a program needs to know.
 * @property {import("./store.js").Question} question
 * @property {string} file Name of the picture.
 * @property {string} mediaType Of the picture, "" where it is not known.
 * @property {string} model As `youtu_gguf.load` takes it.
 * @property {string} type Name of the value's type, such as "Boxes".
 * @property {string} server Address of the server, without a slash at its end.
 * @property {boolean} hasKey Whether the server asks for a key.
 */

/** Variable that a value is put into, by its type. @type {Record<string, string>} */
const VARIABLES = {
  Text: "text", Count: "count", Boxes: "boxes", Polygons: "polygons", Poses: "poses", Mask: "mask", Instances: "instances",
  LabelMap: "labels", DepthMap: "depth", Action: "action",
};

/** Where programs look for the key of a server that asks for one. */
export const KEY_VARIABLE = "YOUTU_GGUF_API_KEY";

/**
 * @param {Record<string, any> | null} info What `GET /v1/info` said.
 * @returns {string} The model as `youtu_gguf.load` takes it: by a name that works anywhere, where the server's has one.
 */
export function modelOf(info) {
  const file = Object.keys(info?.model?.files ?? {})[0] ?? "nano";
  if (file === "nano" || file.startsWith("Youtu-VL-nano")) return "nano";
  return file.startsWith("Youtu-VL-4B-Instruct") ? "tencent/Youtu-VL-4B-Instruct-GGUF" : file;
}

/**
 * @param {unknown} value As JSON has it.
 * @returns {string} It as Python writes it.
 */
function pythonOf(value) {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(pythonOf).join(", ")}]`;
  if (typeof value === "object") {
    return `{${Object.entries(value).map(([key, one]) => `${pythonOf(key)}: ${pythonOf(one)}`).join(", ")}}`;
  }
  return JSON.stringify(value); // numbers, and texts: Python knows all escapes that JSON has
}

/**
 * @param {string} text
 * @returns {string} It as one word of a shell.
 */
function shellOf(text) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** @param {import("./store.js").Question} question What the page asks for besides. */
const optionsOf = ({ options }) => ({ scores: true, ...options });

/**
 * @param {Asked} asked
 * @returns {string} A Python program with the same call of the package.
 */
export function pythonCall({ question, file, model, type }) {
  const { max_seconds: maxS, ...options } = /** @type {Record<string, unknown>} */ (optionsOf(question));
  const keywords = { ...question.args, ...options, ...(maxS === undefined ? {} : { max_s: maxS }) };
  const given = Object.entries(keywords).map(([name, value]) => `${name}=${pythonOf(value)}`);
  const name = VARIABLES[type] ?? "value";
  const one = `    ${name} = scene.${question.task}(${given.join(", ")})`;
  const call = one.length <= 72 ? one : `    ${name} = scene.${question.task}(\n${given.map((line) => `        ${line},\n`).join("")}    )`;
  return `import youtu_gguf as yg

with yg.load(${pythonOf(model)}) as model, model.open(${pythonOf(file)}) as scene:
${call}
    print(${name})
`;
}

/**
 * @param {Asked} asked
 * @returns {string} A Python program that asks the server, with nothing but Python itself.
 */
export function pythonRequest({ question, file, mediaType, server, hasKey }) {
  const body = Object.entries({ ...question.args, options: optionsOf(question) });
  const type = mediaType.startsWith("image/") ? mediaType : "image/unknown";
  return `import json
${hasKey ? "import os\n" : ""}from urllib.request import Request, urlopen

server = ${pythonOf(server)}
${hasKey ? `key = {"Authorization": "Bearer " + os.environ["${KEY_VARIABLE}"]}\n` : ""}with open(${pythonOf(file)}, "rb") as file:
    sent = Request(server + "/v1/images", file.read(), {"Content-Type": ${pythonOf(type)}${hasKey ? ", **key" : ""}})
with urlopen(sent) as answer:
    image = json.load(answer)["id"]

body = {
    "image": image,
${body.map(([name, value]) => `    ${pythonOf(name)}: ${pythonOf(value)},\n`).join("")}}
headers = {"Content-Type": "application/json"${hasKey ? ", **key" : ""}}
with urlopen(Request(server + "/v1/tasks/${question.task}", json.dumps(body).encode(), headers)) as answer:
    print(json.load(answer))
`;
}

/**
 * @param {Asked} asked
 * @returns {string} A command for a POSIX shell, such as bash.
 */
export function curlCommand({ question, file, server, hasKey }) {
  const params = JSON.stringify({ ...question.args, options: optionsOf(question) });
  const path = file.replaceAll("\\", "\\\\").replaceAll('"', '\\"'); // in curl's own quotes, which let , and ; be
  return [
    "curl -sS",
    ...(hasKey ? [`-H "Authorization: Bearer $${KEY_VARIABLE}"`] : []),
    `-F ${shellOf(`image=@"${path}"`)}`,
    `--form-string ${shellOf(`params=${params}`)}`,
    shellOf(`${server}/v1/tasks/${question.task}`),
  ].join(" \\\n  ").concat("\n");
}
