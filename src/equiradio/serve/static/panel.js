// One square picture: a plane in colours, another over it, contours, a marker, scale bar, beam and compass. Row 0 at the bottom.

import { contour } from "./contours.js";
import { shades } from "./colours.js";
import { colourBar, furnish } from "./furniture.js";
import { unturned } from "./sky.js";

/** Pixels of the side of the image that is shown. */
export let SIDE = 150;

/** Zoom and centre (columns, rows), shared by all panels. */
export const eye = { zoom: 1, column: SIDE / 2, row: SIDE / 2 };

/** Show images of another side from now on, whole. */
export function setSide(side) {
  SIDE = side;
  lookAt(1, SIDE / 2, SIDE / 2);
}

export function lookAt(zoom, column, row) {
  eye.zoom = Math.min(Math.max(zoom, 1), 12);
  const half = SIDE / 2 / eye.zoom;
  eye.column = Math.min(Math.max(column, half), SIDE - half);
  eye.row = Math.min(Math.max(row, half), SIDE - half);
}

export class Panel {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.small = document.createElement("canvas");
    this.scene = null;
    this.cursor = null;
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  /** base, over: {plane, colours, stretch, opacity}; lines: [{plane, levels, colour}]; furniture: {scale, beam, angle, compass}; marker: {row, column}; bar: {colours, low, high}. */
  show(scene) {
    this.scene = scene;
    this.draw();
  }

  /** Centre of a pixel -> place on the canvas. */
  place(row, column) {
    const unit = (this.canvas.width / SIDE) * eye.zoom;
    const middle = this.canvas.width / 2;
    return [middle + (column + 0.5 - eye.column) * unit, middle - (row + 0.5 - eye.row) * unit];
  }

  /** Place of a pointer -> row and column. */
  pixel(event) {
    const box = this.canvas.getBoundingClientRect();
    const unit = (box.width / SIDE) * eye.zoom;
    return {
      column: (event.clientX - box.left - box.width / 2) / unit + eye.column - 0.5,
      row: -(event.clientY - box.top - box.height / 2) / unit + eye.row - 0.5,
    };
  }

  draw() {
    const box = this.canvas.clientWidth;
    if (!box) return;
    const sharp = Math.min(window.devicePixelRatio || 1, 2);
    const side = Math.round(box * sharp);
    if (this.canvas.width !== side) this.canvas.width = this.canvas.height = side;
    const pen = this.canvas.getContext("2d");
    pen.fillStyle = "#000";
    pen.fillRect(0, 0, side, side);
    if (!this.scene) return;
    const { base, over, lines = [], furniture, marker, bar } = this.scene;
    if (base) this.paint(pen, base, 1);
    if (over) this.paint(pen, over, over.opacity);
    for (const line of lines) this.trace(pen, line, sharp);
    if (marker) this.mark(pen, marker, sharp);
    if (this.cursor) this.cross(pen, this.cursor, sharp);
    if (bar) colourBar(pen, { ...bar, table: shades(bar.colours) }, side, sharp);
    if (furniture) furnish(pen, furniture, (side / SIDE) * eye.zoom, side, sharp);
  }

  /** low, high: values that the colours span; within: only where a frame turned by this angle had pixels; fading: opacity by share of the span. */
  paint(pen, { plane, colours, stretch, low = 0, high = 255, within, fading }, opacity) {
    const table = shades(colours, stretch);
    const picture = new ImageData(SIDE, SIDE);
    if (this.small.width !== SIDE) this.small.width = this.small.height = SIDE;
    for (let row = 0; row < SIDE; row++) {
      for (let column = 0; column < SIDE; column++) {
        const share = Math.min(Math.max((plane[(SIDE - 1 - row) * SIDE + column] - low) / (high - low || 1), 0), 1);
        const value = 3 * Math.round(255 * share);
        const at = 4 * (row * SIDE + column);
        picture.data[at] = table[value];
        picture.data[at + 1] = table[value + 1];
        picture.data[at + 2] = table[value + 2];
        picture.data[at + 3] = fading ? 255 * fading(share) : within && outside(SIDE - 1 - row, column, within) ? 0 : 255;
      }
    }
    this.small.getContext("2d").putImageData(picture, 0, 0);
    const unit = (this.canvas.width / SIDE) * eye.zoom;
    const middle = this.canvas.width / 2;
    pen.save();
    pen.globalAlpha = opacity;
    pen.imageSmoothingEnabled = unit < 4;
    pen.drawImage(this.small, middle - eye.column * unit, middle - (SIDE - eye.row) * unit, SIDE * unit, SIDE * unit);
    pen.restore();
  }

  trace(pen, { plane, levels, colour, dashed }, sharp) {
    pen.save();
    pen.strokeStyle = colour;
    pen.lineWidth = 1.1 * sharp;
    if (dashed) pen.setLineDash([3 * sharp, 3 * sharp]);
    pen.beginPath();
    for (const level of levels) {
      for (const [x1, y1, x2, y2] of contour(plane, SIDE, level)) {
        pen.moveTo(...this.place(y1, x1));
        pen.lineTo(...this.place(y2, x2));
      }
    }
    pen.stroke();
    pen.restore();
  }

  mark(pen, { row, column }, sharp) {
    const [x, y] = this.place(row, column);
    for (const [colour, width] of [["#000", 3.5], ["#fff", 1.5]]) {
      pen.strokeStyle = colour;
      pen.lineWidth = width * sharp;
      pen.beginPath();
      pen.arc(x, y, 7 * sharp, 0, 2 * Math.PI);
      pen.stroke();
    }
  }

  cross(pen, { row, column }, sharp) {
    const [x, y] = this.place(row, column);
    for (const [colour, width] of [["#0008", 3], ["#fffc", 1]]) {
      pen.strokeStyle = colour;
      pen.lineWidth = width * sharp;
      pen.beginPath();
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        pen.moveTo(x + 4 * dx * sharp, y + 4 * dy * sharp);
        pen.lineTo(x + 12 * dx * sharp, y + 12 * dy * sharp);
      }
      pen.stroke();
    }
  }
}

/** Least and largest of a plane. */
export function span(plane) {
  let [low, high] = [255, 0];
  for (const value of plane) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}

/** Had the frame turned by an angle no pixel here? */
function outside(row, column, angle) {
  const from = unturned(row, column, -angle, SIDE);
  return from.row < -0.5 || from.column < -0.5 || from.row > SIDE - 0.5 || from.column > SIDE - 0.5;
}
