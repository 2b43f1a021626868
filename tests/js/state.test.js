// What a link restores: the state goes through the address and comes back.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { address, DEFAULTS, read, state, write } from "../../src/equiradio/serve/static/state.js";

const fresh = () => ({ source: { ...DEFAULTS.source }, run: { ...DEFAULTS.run }, labelling: { ...DEFAULTS.labelling }, table: { ...DEFAULTS.table, where: [] } });

beforeEach(() => {
  globalThis.location = { hash: "" };
  globalThis.history = { replaceState: (_, __, link) => (globalThis.location.hash = link) };
  Object.assign(state, { view: "source", ...fresh() });
});

/** The state after a link was followed in a page that was just opened. */
function restored(link) {
  Object.assign(state, { view: "source", ...fresh() });
  globalThis.location.hash = link;
  read();
  return structuredClone({ view: state.view, ...state[state.view] });
}

const WISHES = {
  source: { key: "sky/a+b c&d=e#1?é", set: "sky", a: "c4-attention", b: "four (2)", b_member: "1", rotation: "30.5", map: "evidence", over: "0" },
  run: { run: "one", evaluation: "sky-test", label: "Bent tail", sort: "p_bent_tail", descending: "true" },
  table: { table: "a/b.parquet", where: ["p_frii:min:0.9", "name:has:a&b:c"], sort: "dec_deg", offset: "150" },
};

for (const [view, wishes] of Object.entries(WISHES)) {
  test(`${view}: a link restores what was wished, and the rest as it is by default`, () => {
    Object.assign(state[view], wishes);
    state.view = view;
    const link = address();
    assert.ok(link.startsWith(`#${view}?`));
    assert.deepEqual(restored(link), { view, ...DEFAULTS[view], ...wishes });
  });
}

test("a link says nothing but what differs", () => {
  assert.equal(address("source"), "#source");
  Object.assign(state.source, { rotation: "90", a_member: "2" });
  assert.equal(address("source"), "#source?a_member=2&rotation=90");
  state.table.where = ["a:is:1", "b:is:2"];
  assert.equal(address("table"), "#table?where=a%3Ais%3A1&where=b%3Ais%3A2");
});

test("an address without a question leaves the state, an unknown view shows sources, unknown names are ignored", () => {
  state.run.sort = "spread";
  globalThis.location.hash = "#run";
  read();
  assert.deepEqual([state.view, state.run.sort], ["run", "spread"]);
  assert.equal(restored("#nowhere").view, "source");
  const { view, ...run } = restored("#run?label=FRI&colour=red");
  assert.deepEqual([view, run], ["run", { ...DEFAULTS.run, label: "FRI" }]);
});

test("defaults are not changed by what is wished", () => {
  restored("#table?where=a:is:1&where=b:is:2");
  assert.deepEqual(DEFAULTS.table.where, []);
  assert.equal(restored("#table?sort=a").where.length, 0);
});

test("writing puts the state into the address bar", () => {
  Object.assign(state, { view: "run" });
  state.run.label = "FRII";
  write();
  assert.equal(globalThis.location.hash, "#run?label=FRII");
});
