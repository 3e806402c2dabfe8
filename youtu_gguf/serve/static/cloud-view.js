/** Draws a distance map as points in space, with WebGL 2, and finds the point under a pointer. */

import { linked } from "./depth-colours.js";

/** @typedef {import("./space.js").Depth} Depth */
/** @typedef {{yaw: number, pitch: number, zoom: number}} View Angles in radians around the pivot; zoom 1 is the camera's place. */

/** Longest side of the texture that holds the picture's colours. */
const LONGEST = 2048;

/** Points beyond these are more than a page should hold; larger pictures are taken in wider steps. */
const MOST_POINTS = 3_000_000;

const REACH_PX = 6;

/** Where one looks from at first: a little beside the camera, so that the depth shows. */
export const FIRST = { yaw: 0.3, pitch: 0.15, zoom: 0.85 };

/** From where the camera was. */
export const CAMERA = { yaw: 0, pitch: 0, zoom: 1 };

const VERTICES = `#version 300 es
precision highp float;
in float z;
uniform int columns;
uniform float stride;
uniform vec2 size;
uniform float focal;
uniform mat3 turn;
uniform float pivot;
uniform float back;
uniform vec2 lens;
uniform vec2 clip;
uniform float spacing;
uniform sampler2D picture;
uniform bool isFinding;
out vec3 colour;
void main() {
  vec2 at = (vec2(float(gl_VertexID % columns), float(gl_VertexID / columns)) + 0.5) * stride;
  vec3 place = turn * (vec3((at - size / 2.0) / focal * z, z) - vec3(0.0, 0.0, pivot)) + vec3(0.0, 0.0, back);
  float depth = (place.z * (clip.y + clip.x) - 2.0 * clip.y * clip.x) / (clip.y - clip.x);
  gl_Position = z > 0.0 ? vec4(lens.x * place.x, -lens.y * place.y, depth, place.z) : vec4(2.0, 2.0, 2.0, 1.0);
  gl_PointSize = clamp(spacing * z / max(place.z, clip.x), 1.0, 48.0);
  int number = gl_VertexID + 1;
  colour = isFinding
    ? vec3(number & 255, number >> 8 & 255, number >> 16 & 255) / 255.0
    : textureLod(picture, at / size, 0.0).rgb;
}`;

const FRAGMENTS = `#version 300 es
precision highp float;
in vec3 colour;
out vec4 shown;
void main() {
  shown = vec4(colour, 1.0);
}`;

/**
 * @typedef {object} Cloud
 * @property {number} least The smallest step, in pixels: 1, or more where there would be too many points.
 * @property {(step: number) => number} take Take a point every so many pixels, across and down; returns their number.
 * @property {(view: View) => void} draw
 * @property {(x: number, y: number) => {x: number, y: number} | null} find The pixel of the picture whose point is drawn
 *   next to a place of the canvas, in canvas pixels from its top left.
 * @property {() => void} end
 */

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Depth} depth
 * @param {ImageBitmap | null} bitmap The picture; its points are grey without.
 * @param {number} focalPx
 * @param {number} pivot The distance that the view turns around.
 * @returns {Cloud | null} null where the browser has no WebGL 2.
 */
export function cloudOn(canvas, depth, bitmap, focalPx, pivot) {
  const gl = canvas.getContext("webgl2", { antialias: false });
  if (!gl) return null;
  const program = linked(gl, VERTICES, FRAGMENTS);
  gl.useProgram(program);
  gl.enable(gl.DEPTH_TEST);
  const at = (/** @type {string} */ name) => gl.getUniformLocation(program, name);
  const places = Object.fromEntries(
    ["columns", "stride", "turn", "pivot", "back", "lens", "clip", "spacing", "isFinding"].map((name) => [name, at(name)]),
  );
  gl.uniform2f(at("size"), depth.width, depth.height);
  gl.uniform1f(at("focal"), focalPx);
  gl.uniform1f(places.pivot, pivot);
  fillPicture(gl, bitmap);
  gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
  const input = gl.getAttribLocation(program, "z");
  gl.enableVertexAttribArray(input);
  gl.vertexAttribPointer(input, 1, gl.FLOAT, false, 0, 0);

  const target = gl.createFramebuffer();
  const buffers = [gl.createRenderbuffer(), gl.createRenderbuffer()];
  const least = Math.max(1, Math.ceil(Math.sqrt((depth.width * depth.height) / MOST_POINTS)));
  let stride = 1;
  let columns = 0;
  let count = 0;
  let isFresh = false; // whether the numbers of the points are drawn for the present view

  /** @param {boolean} isFinding */
  const render = (isFinding) => {
    gl.bindFramebuffer(gl.FRAMEBUFFER, isFinding ? target : null);
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.uniform1i(places.isFinding, Number(isFinding));
    gl.drawArrays(gl.POINTS, 0, count);
  };

  return {
    least,
    take(step) {
      stride = step;
      const taken = strided(depth, stride);
      ({ columns } = taken);
      count = taken.values.length;
      gl.bufferData(gl.ARRAY_BUFFER, taken.values, gl.STATIC_DRAW);
      gl.uniform1i(places.columns, columns);
      gl.uniform1f(places.stride, stride);
      isFresh = false;
      return taken.known;
    },
    draw({ yaw, pitch, zoom }) {
      const scale = Math.min(canvas.width / depth.width, canvas.height / depth.height);
      const back = pivot / zoom;
      gl.uniformMatrix3fv(places.turn, false, turned(yaw, pitch));
      gl.uniform1f(places.back, back);
      gl.uniform2f(places.lens, (2 * focalPx * scale) / canvas.width, (2 * focalPx * scale) / canvas.height);
      gl.uniform2f(places.clip, back / 200, back + 100 * pivot);
      gl.uniform1f(places.spacing, 1.25 * stride * scale);
      isFresh = false;
      render(false);
    },
    find(x, y) {
      if (!isFresh) {
        size(gl, target, buffers, canvas);
        render(true);
        isFresh = true;
      }
      gl.bindFramebuffer(gl.FRAMEBUFFER, target);
      const number = nearestNumber(gl, x, canvas.height - 1 - y);
      gl.bindFramebuffer(gl.FRAMEBUFFER, null);
      if (!number) return null;
      const [column, row] = [(number - 1) % columns, Math.floor((number - 1) / columns)];
      return { x: (column + 0.5) * stride, y: (row + 0.5) * stride };
    },
    end() {
      gl.getExtension("WEBGL_lose_context")?.loseContext(); // contexts are few
    },
  };
}

/**
 * @param {Depth} depth
 * @param {number} stride
 * @returns {{values: Float32Array, columns: number, known: number}} Distances in the middle of cells of this size, and how
 *   many of them there are.
 */
function strided({ values, width, height }, stride) {
  const columns = Math.max(1, Math.floor(width / stride));
  const rows = Math.max(1, Math.floor(height / stride));
  const taken = new Float32Array(columns * rows);
  let known = 0;
  for (let row = 0; row < rows; row += 1) {
    const from = Math.min(Math.floor((row + 0.5) * stride), height - 1) * width;
    for (let column = 0; column < columns; column += 1) {
      const z = values[from + Math.min(Math.floor((column + 0.5) * stride), width - 1)];
      taken[row * columns + column] = z;
      if (z > 0) known += 1;
    }
  }
  return { values: taken, columns, known };
}

/**
 * @param {number} yaw
 * @param {number} pitch
 * @returns {Float32Array} Turns around the axis that points down, then around the one to the right; by columns.
 */
export function turned(yaw, pitch) {
  const [sy, cy, sp, cp] = [Math.sin(yaw), Math.cos(yaw), Math.sin(pitch), Math.cos(pitch)];
  return new Float32Array([cy, sp * sy, -cp * sy, 0, cp, sp, sy, -sp * cy, cp * cy]);
}

/**
 * @param {WebGL2RenderingContext} gl
 * @param {ImageBitmap | null} bitmap
 */
function fillPicture(gl, bitmap) {
  const small = document.createElement("canvas");
  const scale = bitmap ? Math.min(1, LONGEST / Math.max(bitmap.width, bitmap.height)) : 1;
  small.width = bitmap ? Math.max(1, Math.round(bitmap.width * scale)) : 1;
  small.height = bitmap ? Math.max(1, Math.round(bitmap.height * scale)) : 1;
  const context = /** @type {CanvasRenderingContext2D} */ (small.getContext("2d"));
  context.fillStyle = "grey";
  context.fillRect(0, 0, small.width, small.height);
  if (bitmap) context.drawImage(bitmap, 0, 0, small.width, small.height);
  gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, small);
}

/**
 * Give what the points' numbers are drawn into the size of the canvas.
 *
 * @param {WebGL2RenderingContext} gl
 * @param {WebGLFramebuffer} target
 * @param {WebGLRenderbuffer[]} buffers
 * @param {HTMLCanvasElement} canvas
 */
function size(gl, target, [colours, depths], { width, height }) {
  gl.bindFramebuffer(gl.FRAMEBUFFER, target);
  gl.bindRenderbuffer(gl.RENDERBUFFER, colours);
  gl.renderbufferStorage(gl.RENDERBUFFER, gl.RGBA8, width, height);
  gl.framebufferRenderbuffer(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.RENDERBUFFER, colours);
  gl.bindRenderbuffer(gl.RENDERBUFFER, depths);
  gl.renderbufferStorage(gl.RENDERBUFFER, gl.DEPTH_COMPONENT16, width, height);
  gl.framebufferRenderbuffer(gl.FRAMEBUFFER, gl.DEPTH_ATTACHMENT, gl.RENDERBUFFER, depths);
}

/**
 * @param {WebGL2RenderingContext} gl
 * @param {number} x From the left, in pixels of what is drawn into.
 * @param {number} y From the bottom.
 * @returns {number} The number of the point that is drawn nearest to a place; 0 where none is near.
 */
function nearestNumber(gl, x, y) {
  const side = 2 * REACH_PX + 1;
  const pixels = new Uint8Array(4 * side * side);
  gl.readPixels(Math.round(x) - REACH_PX, Math.round(y) - REACH_PX, side, side, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
  let best = 0;
  let least = Infinity;
  for (let index = 0; index < side * side; index += 1) {
    const [red, green, blue] = pixels.subarray(4 * index);
    const number = red | (green << 8) | (blue << 16);
    const far = Math.hypot((index % side) - REACH_PX, Math.floor(index / side) - REACH_PX);
    if (number && far < least) [best, least] = [number, far];
  }
  return best;
}
