// Contours of planes whose lines are known.

import assert from "node:assert/strict";
import { test } from "node:test";

import { contour } from "../../src/equiradio/serve/static/contours.js";

const plane = (side, value) => Float64Array.from({ length: side * side }, (_, at) => value(Math.floor(at / side), at % side));
const length = (pieces) => pieces.reduce((sum, [x1, y1, x2, y2]) => sum + Math.hypot(x2 - x1, y2 - y1), 0);

/** How often each end of a piece occurs. */
function ends(pieces) {
  const count = new Map();
  for (const [x1, y1, x2, y2] of pieces) for (const end of [`${x1},${y1}`, `${x2},${y2}`]) count.set(end, (count.get(end) || 0) + 1);
  return [...count.values()];
}

test("around a square of four by four pixels lies one closed line with its corners cut", () => {
  const square = plane(10, (row, column) => (row >= 3 && row <= 6 && column >= 2 && column <= 5 ? 1 : 0));
  const pieces = contour(square, 10, 0.5);
  assert.equal(pieces.length, 16);
  assert.ok(Math.abs(length(pieces) - (12 + 4 * Math.SQRT1_2)) < 1e-12);
  assert.ok(ends(pieces).every((count) => count === 2), "every end is the beginning of the next");
  const [columns, rows] = [pieces.flatMap(([x1, , x2]) => [x1, x2]), pieces.flatMap(([, y1, , y2]) => [y1, y2])];
  assert.deepEqual([Math.min(...columns), Math.max(...columns), Math.min(...rows), Math.max(...rows)], [1.5, 5.5, 2.5, 6.5]);
});

test("a level between two pixels is crossed in proportion", () => {
  const pieces = contour(plane(10, (row, column) => 2 * column), 10, 8.5);
  assert.equal(pieces.length, 9);
  for (const [x1, y1, x2, y2] of pieces) {
    assert.deepEqual([x1, x2], [4.25, 4.25]);
    assert.equal(Math.abs(y1 - y2), 1);
  }
  for (const [, y1, , y2] of contour(plane(10, (row) => row), 10, 2.75)) assert.deepEqual([y1, y2], [2.75, 2.75]);
});

test("the line around a disc is as long as the circle, to the pixel", () => {
  const disc = plane(60, (row, column) => 20 - Math.hypot(row - 29.5, column - 29.5));
  const pieces = contour(disc, 60, 0);
  assert.ok(Math.abs(length(pieces) - 40 * Math.PI) < 0.2, `${length(pieces)}`);
  assert.ok(pieces.every(([x1, y1]) => Math.abs(Math.hypot(x1 - 29.5, y1 - 29.5) - 20) < 0.02));
});

test("where two high corners face each other each is cut off by a line of its own", () => {
  for (const corners of [[1, 0, 0, 1], [0, 1, 1, 0]]) {
    const pieces = contour(Float64Array.from(corners), 2, 0.5);
    assert.equal(pieces.length, 2);
    assert.ok(ends(pieces).every((count) => count === 1), "they do not meet");
    for (const [x1, y1, x2, y2] of pieces) assert.equal(corners[2 * Math.round((y1 + y2) / 2) + Math.round((x1 + x2) / 2)], 1);
  }
});

test("a pixel at the level is inside", () => {
  const pieces = contour(plane(5, (row, column) => (row === 2 && column === 2 ? 1 : 0)), 5, 1);
  assert.equal(pieces.length, 4);
  assert.ok(pieces.flat().every((place) => place === 2), "the line shrinks to it");
});

test("a flat plane has no line", () => {
  assert.deepEqual(contour(plane(5, () => 1), 5, 0.5), []);
  assert.deepEqual(contour(plane(5, () => 0), 5, 0.5), []);
});
