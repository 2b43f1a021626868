// Positions of pixels against astropy 7 (gnomonic images of 150 x 150 pixels of 1.8 arcsec, north up), and angles.

import assert from "node:assert/strict";
import { test } from "node:test";

import { aladin, position, sexagesimal, unturned } from "../../src/equiradio/serve/static/sky.js";

// unit vectors at the corners, and [row, column, ra, dec, words], both of WCS.pixel_to_world
const IMAGES = {
  "176.104 +25.235": {
    grid: [
      [[-0.90279668354, 0.060831542865, 0.425743668869], [-0.902708335881, 0.062128807717, 0.425743668869]],
      [[-0.9022436181, 0.060793877437, 0.426919849696], [-0.902155270441, 0.062091142288, 0.426919849696]],
    ],
    places: [
      [74.5, 74.5, 176.104, 25.235, "11:44:25.0 +25:14:06"],
      [0, 0, 176.14516731182607, 25.197744307880072, "11:44:34.8 +25:11:52"],
      [149, 0, 176.1451925481635, 25.272244278141553, "11:44:34.8 +25:16:20"],
      [20.25, 133.5, 176.07139498251084, 25.20787142711663, "11:44:17.1 +25:12:28"],
      [100, 40, 176.12307190152694, 25.247748775220433, "11:44:29.5 +25:14:52"],
    ],
  },
  "across right ascension 0": {
    grid: [
      [[0.499436743925, 0.000658851687, -0.866350105173], [0.499436766619, -0.000641418056, -0.866350105173]],
      [[0.500562810554, 0.000658871341, -0.865699970301], [0.500562833248, -0.000641398402, -0.865699970301]],
    ],
    places: [
      [74.5, 74.5, 0.001, -60, "00:00:00.2 −60:00:00"],
      [0, 0, 0.07558394444596556, -60.037228990249325, "00:00:18.1 −60:02:14"],
      [20.25, 133.5, 359.94195160188303, -60.02711182976448, "23:59:46.1 −60:01:38"],
      [100, 40, 0.03548670354197195, -59.98724550486618, "00:00:08.5 −59:59:14"],
    ],
  },
};

for (const [name, { grid, places }] of Object.entries(IMAGES)) {
  test(`positions as astropy has them: ${name}`, () => {
    for (const [row, column, ra, dec, words] of places) {
      const there = position(grid, row, column);
      assert.ok(Math.abs(there.ra - ra) < 2e-7, `${row} ${column}: right ascension ${there.ra}, not ${ra}`);
      assert.ok(Math.abs(there.dec - dec) < 2e-7, `${row} ${column}: declination ${there.dec}, not ${dec}`);
      assert.equal(sexagesimal(there), words);
    }
  });
}

test("outside the image the nearest edge stands, and without a grid nothing", () => {
  const { grid } = IMAGES["176.104 +25.235"];
  assert.deepEqual(position(grid, -5, 200), position(grid, 0, 149));
  assert.equal(position(null, 1, 1), null);
});

test("a finer grid gives the same between its places", () => {
  const { grid } = IMAGES["176.104 +25.235"];
  const mean = (one, other) => one.map((value, axis) => (value + other[axis]) / 2);
  const wide = grid.map(([left, right]) => [left, mean(left, right), right]);
  const fine = [wide[0], wide[0].map((vector, k) => mean(vector, wide[1][k])), wide[1]];
  for (const [row, column] of [[10, 20], [74.5, 74.5], [140, 80], [149, 149]]) {
    const [one, other] = [position(grid, row, column), position(fine, row, column)];
    assert.ok(Math.hypot(one.ra - other.ra, one.dec - other.dec) < 1e-9);
  }
});

test("written positions carry over and never show sixty", () => {
  assert.equal(sexagesimal({ ra: 359.999999, dec: 89.99999 }), "00:00:00.0 +90:00:00");
  assert.equal(sexagesimal({ ra: 14.9999, dec: -0.99999 }), "01:00:00.0 −01:00:00");
});

test("quarter turns are those of torch.rot90", () => {
  const close = ({ row, column }, there) => assert.ok(Math.hypot(row - there[0], column - there[1]) < 1e-9, `${row} ${column}, not ${there}`);
  for (const [row, column] of [[0, 0], [10, 120], [149, 3]]) {
    close(unturned(row, column, 0), [row, column]);
    close(unturned(row, column, 90), [column, 149 - row]); // rot90: out[i, j] = in[j, 149 - i]
    close(unturned(row, column, 180), [149 - row, 149 - column]);
    close(unturned(row, column, 270), [149 - column, row]);
  }
});

test("turning back undoes turning, and the middle stays", () => {
  for (const angle of [1, 30, 77.7, 200, -45]) {
    const there = unturned(12, 130, angle);
    const back = unturned(there.row, there.column, -angle);
    assert.ok(Math.hypot(back.row - 12, back.column - 130) < 1e-9);
    assert.ok(Math.abs(Math.hypot(there.row - 74.5, there.column - 74.5) - Math.hypot(12 - 74.5, 130 - 74.5)) < 1e-9);
    assert.deepEqual(unturned(74.5, 74.5, angle), { row: 74.5, column: 74.5 });
  }
  const thirty = unturned(74.5, 84.5, 30); // ten to the right of the middle
  assert.ok(Math.abs(thirty.row - 79.5) < 1e-9 && Math.abs(thirty.column - (74.5 + 10 * Math.cos(Math.PI / 6))) < 1e-9);
});

test("a link to the sky carries the position", () => {
  const link = new URL(aladin(176.104, -25.5));
  assert.equal(link.searchParams.get("target"), "176.104 -25.5");
  assert.equal(link.protocol, "https:");
});
