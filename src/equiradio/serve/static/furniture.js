// What stands on a picture of the sky: scale bar, beam, compass, and the bar of a map's colours with its numbers.

import { position, unturned } from "./sky.js";

const BARS = [120, 60, 30, 15, 10, 5, 2, 1]; // arcsec
const [BLACK, WHITE] = ["#000c", "#fff"];

/** unit: screen pixels to a pixel of the image; side: screen pixels of the canvas; sharp: screen pixels to one of the page. */
export function furnish(pen, { scale, beam, beamAngle, angle, compass }, unit, side, sharp) {
  pen.lineCap = "butt";
  if (scale) drawBar(pen, scale, unit, side, sharp);
  if (scale && beam?.[1] && beamAngle !== null) {
    drawBeam(pen, beam.map((arcsec) => Math.max((arcsec / scale / 2) * unit, 1.5 * sharp)), angle - beamAngle, side, sharp);
  }
  if (compass) drawCompass(pen, compass, sharp);
}

/** A bar of 256 colours along the lower edge, with the numbers at its ends and in its middle. */
export function colourBar(pen, { table, low, high }, side, sharp) {
  const [x, y, length, thick] = [side * 0.3, side - 16 * sharp, side * 0.4, 8 * sharp];
  for (let value = 0; value < 256; value++) {
    pen.fillStyle = `rgb(${table[3 * value]} ${table[3 * value + 1]} ${table[3 * value + 2]})`;
    pen.fillRect(x + (value / 256) * length, y, length / 256 + 1, thick);
  }
  pen.strokeStyle = BLACK;
  pen.lineWidth = sharp;
  pen.strokeRect(x, y, length, thick);
  for (const [share, number] of [[0, low], [0.5, (low + high) / 2], [1, high]]) words(pen, numberOf(number), x + share * length, y - 4 * sharp, sharp);
}

/** Two digits that count, a sign, and 0 as it is. */
export const numberOf = (value) => (value === 0 ? "0" : `${value < 0 ? "−" : "+"}${Number(Math.abs(value).toPrecision(2))}`);

function words(pen, text, x, y, sharp) {
  pen.font = `${11 * sharp}px system-ui, sans-serif`;
  pen.textAlign = "center";
  pen.lineWidth = 3 * sharp;
  pen.strokeStyle = BLACK;
  pen.strokeText(text, x, y);
  pen.fillStyle = WHITE;
  pen.fillText(text, x, y);
}

/** A white line with a black edge. */
function line(pen, from, to, edge, width) {
  for (const [colour, wide] of [[BLACK, edge], [WHITE, width]]) {
    pen.strokeStyle = colour;
    pen.lineWidth = wide;
    pen.beginPath();
    pen.moveTo(...from);
    pen.lineTo(...to);
    pen.stroke();
  }
}

function drawBar(pen, scale, unit, side, sharp) {
  const long = BARS.find((arcsec) => (arcsec / scale) * unit < side * 0.36) || 1;
  const length = (long / scale) * unit;
  const [x, y] = [side - 10 * sharp, side - 12 * sharp];
  line(pen, [x - length, y], [x, y], 5 * sharp, 2 * sharp);
  words(pen, long >= 60 ? `${long / 60}′` : `${long}″`, x - length / 2, y - 5 * sharp, sharp);
}

function drawBeam(pen, [major, minor], angle, side, sharp) {
  pen.save();
  pen.translate(12 * sharp + major, side - 12 * sharp - major);
  pen.rotate((angle * Math.PI) / 180);
  pen.beginPath();
  pen.ellipse(0, 0, minor, major, 0, 0, 2 * Math.PI);
  pen.fillStyle = "#fff9";
  pen.strokeStyle = WHITE;
  pen.lineWidth = sharp;
  pen.fill();
  pen.stroke();
  pen.restore();
}

function drawCompass(pen, compass, sharp) {
  const [x, y] = [28 * sharp, 30 * sharp];
  for (const [letter, direction] of [["N", compass.north], ["E", compass.east]]) {
    const [dx, dy] = [direction[0] * 16 * sharp, direction[1] * 16 * sharp];
    line(pen, [x, y], [x + dx, y + dy], 3.5 * sharp, 1.5 * sharp);
    words(pen, letter, x + dx * 1.45, y + dy * 1.45 + 4 * sharp, sharp);
  }
}

/** Directions of north and east on the screen (right, down) in an image turned by an angle, from a grid of unit vectors. */
export function compassOf(grid, angle, side = 150) {
  if (!grid) return null;
  const middle = (side - 1) / 2;
  const here = position(grid, middle, middle, side);
  const slope = (down, across) => {
    const from = unturned(middle, middle, angle, side);
    const to = unturned(middle + down, middle + across, angle, side);
    const [a, b] = [position(grid, from.row, from.column, side), position(grid, to.row, to.column, side)];
    const east = ((((b.ra - a.ra + 540) % 360) - 180) * Math.cos((here.dec * Math.PI) / 180));
    return { east, north: b.dec - a.dec };
  };
  const [up, right] = [slope(10, 0), slope(0, 10)];
  const unit = (x, y) => [x / (Math.hypot(x, y) || 1), y / (Math.hypot(x, y) || 1)];
  return { north: unit(right.north, -up.north), east: unit(right.east, -up.east) };
}
