// Evidence by the names of classes, and what stands below the panels.

import assert from "node:assert/strict";
import { test } from "node:test";

import { compassOf, numberOf } from "../../src/equiradio/serve/static/furniture.js";
import { attentionLayers, evidenceLayer, plain, signed } from "../../src/equiradio/serve/static/layers.js";
import { NOWHERE, readout } from "../../src/equiradio/serve/static/readout.js";

const base64 = (numbers) => Buffer.from(numbers.buffer).toString("base64");

test("evidence says for what it speaks", () => {
  const plane = Float32Array.from({ length: 150 * 150 }, (_, at) => at - 100);
  const map = base64(plane);
  const [layer] = evidenceLayer({ evidence: { map, map_turned_back: map, full: 5, below: "against Bent", above: "for Bent" } });
  assert.equal(layer.colours, ": blue speaks against Bent, orange for Bent");
  assert.deepEqual([layer.map[0], layer.map[103]], [-100, 3]);
  assert.deepEqual([layer.base().low, layer.base().high], [-5, 5]);
  assert.deepEqual(layer.bar, { colours: "evidence", low: -5, high: 5 });
  assert.deepEqual([-0.00071, 0, 12.34, 0.0100].map(numberOf), ["−0.00071", "0", "+12", "+0.01"]);
  assert.equal(layer.say(-0.25), "evidence −0.2500 of log-odds");
  assert.deepEqual(evidenceLayer({ evidence: null }), []);
  assert.deepEqual([signed(1.04, 1), signed(-0.5, 1)], ["+1.0", "−0.5"]);
  assert.deepEqual([plain(-0.001, 2), plain(-0.5, 2), plain(0.126, 2)], ["0.00", "−0.50", "0.13"]);
});

test("attention has a layer for the mean and for each gate", () => {
  const map = base64(Uint8Array.from({ length: 150 * 150 }, (_, at) => (at === 7 ? 255 : 51)));
  const layers = attentionLayers({ maps: [map, map], maps_turned_back: [map, map], peaks: [[0, 7], [0, 7]], peaks_turned_back: [[1, 1], [1, 1]] });
  assert.deepEqual(layers.map(({ key, words }) => [key, words]), [["0", "mean"], ["1", "gate 1"]]);
  assert.deepEqual(layers[0].levels({ contours: "3", range: "own" }), [102, 153, 204]);
  assert.deepEqual(layers[0].levels({ contours: "1", range: "unit" }), [127.5]);
  assert.equal(layers[0].say(51), "attention 0.20");
});

test("the pointer reads the pixel of the sky under it, turned or not", () => {
  const plane = Uint8Array.from({ length: 150 * 150 }, (_, at) => at % 150);
  const source = { sky: null, plane, numbers: null, unit: "" };
  assert.equal(readout(source, { row: 10, column: 20 }, false, 90), "row 10, column 20 · no position known · 20 of 255");
  assert.equal(readout(source, { row: 10, column: 20 }, true, 90), "row 20, column 139 · no position known · 139 of 255");
  assert.match(readout(source, { row: 0, column: 0 }, true, 45), /outside$/);
  assert.match(readout({ ...source, numbers: Float32Array.of(0.5), unit: "JY/BEAM" }, { row: 0, column: 0 }, false, 0, (at) => `at ${at}`), /0\.5000 JY\/BEAM · at 0$/);
  for (const at of [null, { row: -1, column: 5 }, { row: 5, column: 150 }]) assert.equal(readout(source, at, false, 0), NOWHERE);
});

test("north is up and east left, and both turn clockwise on the screen", () => {
  const grid = [
    [[-0.90279668354, 0.060831542865, 0.425743668869], [-0.902708335881, 0.062128807717, 0.425743668869]],
    [[-0.9022436181, 0.060793877437, 0.426919849696], [-0.902155270441, 0.062091142288, 0.426919849696]],
  ];
  const near = (one, other) => assert.ok(Math.hypot(one[0] - other[0], one[1] - other[1]) < 1e-3, `${one}, not ${other}`);
  const still = compassOf(grid, 0); // [right, down]
  near(still.north, [0, -1]);
  near(still.east, [-1, 0]);
  near(compassOf(grid, 90).north, [1, 0]);
  assert.equal(compassOf(null, 0), null);
});
