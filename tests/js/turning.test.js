// Angles, and one question in flight at a time.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Latest, wrapped } from "../../src/equiradio/serve/static/turning.js";

test("angles lie in 0 to 360, in tenths; a whole turn of the slider stays", () => {
  const known = [[0, 0], [359, 359], [360, 360], [361, 1], [450, 90], [720, 0], [-90, 270], [-0.01, 0], [-0.1, 359.9], [30.04, 30], [30.06, 30.1], [359.96, 0], [-725, 355]];
  for (const [angle, expected] of known) assert.equal(wrapped(angle), expected, String(angle));
});

/** A `Latest` whose answers are given by hand. */
function asked() {
  const open = [];
  const heard = [];
  const latest = new Latest(
    (wish) => new Promise((resolve, reject) => open.push({ wish, resolve, reject })),
    (answer, wish) => heard.push([wish, answer]),
    (error, wish) => heard.push([wish, error.message]),
  );
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return { latest, open, heard, settle };
}

test("while one is asked only the latest wish is kept", async () => {
  const { latest, open, heard, settle } = asked();
  for (let angle = 1; angle <= 60; angle++) latest.want(angle);
  assert.deepEqual(open.map(({ wish }) => wish), [1]);
  open[0].resolve("one");
  await settle();
  assert.deepEqual(open.map(({ wish }) => wish), [1, 60]);
  open[1].resolve("sixty");
  await settle();
  assert.deepEqual(heard, [[1, "one"], [60, "sixty"]]);
  assert.equal(latest.busy, false);
  latest.want(61);
  assert.equal(open.length, 3, "it is ready for the next");
});

test("an error is told with its wish, and the wish after it is asked all the same", async () => {
  const { latest, open, heard, settle } = asked();
  latest.want("a");
  latest.want("b");
  open[0].reject(new Error("no"));
  await settle();
  open[1].resolve("yes");
  await settle();
  assert.deepEqual(heard, [["a", "no"], ["b", "yes"]]);
});

test("the pace is the median of the latest answers, without the first, which opens the network", async (context) => {
  let now = 0;
  context.mock.method(performance, "now", () => now);
  const { latest, open, settle } = asked();
  assert.equal(latest.median(), null);
  for (const took of [5000, 30, 10, 20]) {
    latest.want(took);
    now += took;
    open.at(-1).resolve(took);
    await settle();
  }
  assert.equal(latest.median(), 20);
});
