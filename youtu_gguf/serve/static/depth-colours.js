/**
 * Distances as colours: by a shader where the browser has WebGL 2, else by this processor. Both take the logarithm of a
 * distance, near as the warm or bright end, as the package's drawings do.
 */

import { turbo } from "./turbo.js";

/** @typedef {"turbo" | "grey"} ColourMap */
/** @typedef {{map: ColourMap, near: number, far: number}} Look What the two ends of the colours stand for. */
/** @typedef {{values: Float32Array, width: number, height: number, step: number}} Shrunk Every `step`th pixel of a map. */

/** Longest side that is coloured. Distances are given for cells of 16 pixels of the model's image, so none are missing. */
const LONGEST = 2048;

/** Keeps the logarithm finite. */
const LEAST = 1e-3;

/** Pixels without a distance are hatched in two greys. */
const INVALID = [48, 88];
const HATCH_PX = 8;

/** @type {Record<ColourMap, Uint8Array>} Red, green and blue of 256 colours, from far to near. */
const TABLES = { turbo: turbo(), grey: evenGreys() };

/** @returns {Uint8Array} Greys whose lightness (L* of CIELAB) grows evenly. */
function evenGreys() {
  const found = new Uint8Array(768);
  for (let index = 0; index < 256; index += 1) {
    const lightness = 12 + (86 * index) / 255;
    const f = (lightness + 16) / 116;
    const light = f > 6 / 29 ? f ** 3 : lightness / 903.3;
    const grey = light <= 0.0031308 ? 12.92 * light : 1.055 * light ** (1 / 2.4) - 0.055;
    found.fill(Math.round(255 * grey), 3 * index, 3 * index + 3);
  }
  return found;
}

/**
 * @param {import("./space.js").Depth} depth
 * @returns {Shrunk}
 */
export function shrunk({ values, width, height }) {
  const step = Math.ceil(Math.max(width, height) / LONGEST);
  if (step <= 1) return { values, width, height, step: 1 };
  const columns = Math.ceil(width / step);
  const rows = Math.ceil(height / step);
  const taken = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row += 1) {
    const from = Math.min(row * step + (step >> 1), height - 1) * width;
    for (let column = 0; column < columns; column += 1) {
      taken[row * columns + column] = values[from + Math.min(column * step + (step >> 1), width - 1)];
    }
  }
  return { values: taken, width: columns, height: rows, step };
}

/**
 * @param {number} z
 * @param {Look} look
 * @returns {number} The index of a distance's colour in a table, 0 to 255.
 */
function colourIndex(z, { near, far }) {
  const share = Math.log(Math.max(z, LEAST) / near) / (Math.log(far / near) || 1);
  return Math.round(255 * (1 - Math.min(Math.max(share, 0), 1)));
}

/**
 * @param {number} z
 * @param {Look} look
 * @returns {string} The colour of a distance, as CSS writes it.
 */
export function colourOf(z, look) {
  const [red, green, blue] = TABLES[look.map].subarray(3 * colourIndex(z, look));
  return `rgb(${red} ${green} ${blue})`;
}

/**
 * Colour a map.
 *
 * @param {Shrunk} shrunk
 * @param {Look} look
 * @returns {HTMLCanvasElement} Of its size.
 */
export function coloured(shrunk, look) {
  const canvas = document.createElement("canvas");
  canvas.width = shrunk.width;
  canvas.height = shrunk.height;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const drawn = hasShader() && shaded(shrunk, look);
  if (drawn) context.drawImage(drawn, 0, 0);
  else context.putImageData(new ImageData(computed(shrunk, look), shrunk.width, shrunk.height), 0, 0);
  return canvas;
}

/**
 * @param {Shrunk} shrunk
 * @param {Look} look
 * @returns {Uint8ClampedArray<ArrayBuffer>} Red, green, blue and alpha of every pixel.
 */
function computed({ values, width }, look) {
  const pixels = new Uint8ClampedArray(4 * values.length);
  const table = TABLES[look.map];
  const scale = 255 / (Math.log(look.far / look.near) || 1);
  const origin = Math.log(look.near);
  for (let index = 0; index < values.length; index += 1) {
    const z = values[index];
    if (z > 0) {
      const level = 255 - Math.min(Math.max((Math.log(Math.max(z, LEAST)) - origin) * scale, 0), 255);
      const from = 3 * Math.round(level);
      for (let channel = 0; channel < 3; channel += 1) pixels[4 * index + channel] = table[from + channel];
    } else {
      const stripe = Math.floor(((index % width) + Math.floor(index / width)) / HATCH_PX) % 2;
      pixels.fill(INVALID[stripe], 4 * index, 4 * index + 3);
    }
    pixels[4 * index + 3] = 255;
  }
  return pixels;
}

const VERTICES = `#version 300 es
void main() {
  gl_Position = vec4(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0, 0.0, 1.0); // one triangle over all
}`;

const COLOURS = `#version 300 es
precision highp float;
precision highp sampler2D;
uniform sampler2D values;
uniform sampler2D table;
uniform float near;
uniform float spread;
out vec4 colour;
void main() {
  ivec2 at = ivec2(gl_FragCoord.xy);
  at.y = textureSize(values, 0).y - 1 - at.y;
  float z = texelFetch(values, at, 0).r;
  if (z > 0.0) {
    float share = clamp(log(max(z, ${LEAST}) / near) / spread, 0.0, 1.0);
    colour = vec4(texelFetch(table, ivec2(int(round(255.0 * (1.0 - share))), 0), 0).rgb, 1.0);
  } else {
    int stripe = (at.x + at.y) / ${HATCH_PX} % 2;
    colour = vec4(vec3(stripe == 0 ? ${INVALID[0]}.0 : ${INVALID[1]}.0) / 255.0, 1.0);
  }
}`;

/** @typedef {{canvas: HTMLCanvasElement, gl: WebGL2RenderingContext, program: WebGLProgram}} Shader */

/** @type {Shader | null | undefined} null where the browser has none; one for all maps, since contexts are few. */
let shader;
/** @type {Float32Array | null} What its texture holds. */
let held = null;

/** @returns {boolean} Whether maps are coloured by a shader. */
export function hasShader() {
  if (shader === undefined || shader?.gl.isContextLost()) {
    shader = madeShader();
    held = null;
  }
  return shader !== null;
}

/** @returns {Shader | null} */
function madeShader() {
  const canvas = document.createElement("canvas");
  const gl = canvas.getContext("webgl2", { alpha: false, antialias: false, depth: false });
  if (!gl) return null;
  const program = linked(gl, VERTICES, COLOURS);
  for (const unit of [0, 1]) {
    gl.activeTexture(gl.TEXTURE0 + unit);
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
  }
  gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
  gl.useProgram(program);
  gl.uniform1i(gl.getUniformLocation(program, "values"), 0);
  gl.uniform1i(gl.getUniformLocation(program, "table"), 1);
  return { canvas, gl, program };
}

/**
 * @param {WebGL2RenderingContext} gl
 * @param {string} vertices
 * @param {string} fragments
 * @returns {WebGLProgram}
 */
export function linked(gl, vertices, fragments) {
  const program = gl.createProgram();
  for (const [kind, source] of /** @type {const} */ ([[gl.VERTEX_SHADER, vertices], [gl.FRAGMENT_SHADER, fragments]])) {
    const part = /** @type {WebGLShader} */ (gl.createShader(kind));
    gl.shaderSource(part, source);
    gl.compileShader(part);
    gl.attachShader(program, part);
    if (!gl.getShaderParameter(part, gl.COMPILE_STATUS) && !gl.isContextLost()) throw new Error(gl.getShaderInfoLog(part) ?? "");
  }
  gl.linkProgram(program);
  return program;
}

/**
 * @param {Shrunk} shrunk
 * @param {Look} look
 * @returns {HTMLCanvasElement | null} To be copied at once; null where the graphics processor was lost meanwhile.
 */
function shaded({ values, width, height }, { map, near, far }) {
  const { canvas, gl, program } = /** @type {Shader} */ (shader);
  canvas.width = width;
  canvas.height = height;
  gl.viewport(0, 0, width, height);
  gl.activeTexture(gl.TEXTURE0);
  if (held !== values) gl.texImage2D(gl.TEXTURE_2D, 0, gl.R32F, width, height, 0, gl.RED, gl.FLOAT, values);
  held = values;
  gl.activeTexture(gl.TEXTURE1);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB8, 256, 1, 0, gl.RGB, gl.UNSIGNED_BYTE, TABLES[map]);
  gl.uniform1f(gl.getUniformLocation(program, "near"), near);
  gl.uniform1f(gl.getUniformLocation(program, "spread"), Math.log(far / near) || 1);
  gl.drawArrays(gl.TRIANGLES, 0, 3);
  return gl.isContextLost() ? null : canvas;
}
