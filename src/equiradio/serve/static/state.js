// What is seen, as far as a link restores it; kept in the address behind '#'.

import { query } from "./api.js";

export const DEFAULTS = {
  source: { set: "", key: "", a: "", b: "", a_member: "", b_member: "", rotation: "0", map: "", image: "gray", colours: "viridis", stretch: "sqrt", range: "own", over: "1", opacity: "0.6", contours: "3" },
  run: { run: "", evaluation: "", label: "", answer: "", sureness: "", sort: "name", descending: "" },
  labelling: { key: "" },
  table: { table: "", where: [], sort: "", descending: "", offset: "0", limit: "50", column: "" },
};

export const state = { view: "source", source: { ...DEFAULTS.source }, run: { ...DEFAULTS.run }, labelling: { ...DEFAULTS.labelling }, table: { ...DEFAULTS.table, where: [] } };

export function read() {
  const [view, search = ""] = location.hash.slice(1).split("?");
  state.view = view in DEFAULTS ? view : "source";
  const given = new URLSearchParams(search);
  if (![...given.keys()].length) return;
  const part = state[state.view];
  for (const [name, value] of Object.entries(DEFAULTS[state.view])) {
    part[name] = Array.isArray(value) ? given.getAll(name) : given.has(name) ? given.get(name) : value;
  }
}

export function address(view = state.view) {
  const changed = Object.entries(state[view]).filter(([name, value]) => String(value) !== String(DEFAULTS[view][name]));
  const search = query(Object.fromEntries(changed));
  return `#${view}${search ? `?${search}` : ""}`;
}

/** Put the state into the address bar without a new entry in the history. */
export function write() {
  history.replaceState(null, "", address());
}
