// The table view: a page of rows at a time, filters, a histogram.

import { choice, element, endpoint, get, labelled, offer, query, thousands } from "./api.js";
import { histogram } from "./plot.js";
import { save, sendTable } from "./saving.js";
import { aladin } from "./sky.js";
import { DEFAULTS, state, write } from "./state.js";
import { typed, written } from "./values.js";

const wish = state.table;
const TESTS = { number: [["min", "at least"], ["max", "at most"], ["is", "is"]], text: [["has", "contains"], ["is", "is"], ["not", "is not"]], "yes-no": [["is", "is"]] };
const WORDS = { is: "is", not: "is not", min: "≥", max: "≤", below: "<", has: "contains" };

export class TableView {
  constructor(root, tell, open) {
    Object.assign(this, { root, tell, open, columns: [], asked: 0, drawn: 0, selected: 0 });
    this.name = choice([], { id: "table-name", onchange: () => this.change({ ...DEFAULTS.table, where: [], table: this.name.value }) });
    this.column = element("select", { id: "filter-column", onchange: () => this.offerTests() });
    this.test = element("select", { id: "filter-test" });
    this.value = element("input", { id: "filter-value", autocomplete: "off" });
    const form = element("form", { class: "fields filter", onsubmit: (event) => this.filter(event) }, labelled("Column", this.column), labelled("Test", this.test), labelled("Value", this.value), element("button", { id: "add-filter" }, "Add filter"));
    this.chips = element("ul", { class: "chips" });
    this.shown = element("select", { id: "histogram-column", onchange: () => { wish.column = this.shown.value; write(); this.drawHistogram(); } });
    this.plot = element("div", { class: "plot" });
    this.count = element("p", { class: "note", role: "status", id: "row-count" }, "");
    this.head = element("thead");
    this.body = element("tbody");
    const step = (words, by, id) => element("button", { type: "button", id, onclick: () => this.step(by) }, words);
    this.paging = element("div", { class: "paging" }, step("First", -Infinity, "first-page"), step("Previous", -1, "previous-page"), step("Next", 1, "next-page"), step("Last", Infinity, "last-page"));
    this.saving = element("div", { class: "saving" },
      element("button", { type: "button", id: "save-votable", onclick: () => this.saveSelection() }, "Selection as VOTable"),
      element("button", { type: "button", id: "samp-table", onclick: () => sendTable(query(this.question()), wish.table, this.tell) }, "Send by SAMP"));
    this.content = element("div", { class: "content" }, element("div", { class: "fields" }, labelled("Table", this.name, "wide")), form, this.chips,
      element("div", { class: "distribution" }, labelled("Histogram of", this.shown), this.plot),
      element("div", { class: "ruler" }, this.count, this.paging),
      element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Rows" }, element("table", { class: "data" }, this.head, this.body)), this.saving);
    this.empty = element("p", { class: "empty", hidden: true }, "No table is offered. Start the viewer with --table FILE, or with --runs FOLDER for the predictions of runs.");
    this.root.append(element("h1", { id: "table-title" }, "Table"), this.empty, this.content);
  }

  start(tables) {
    this.tables = tables;
    offer(this.name, tables.map((name) => [name, name]));
  }

  question() {
    return { table: wish.table, where: wish.where, sort: wish.sort, descending: wish.descending };
  }

  async show() {
    this.empty.hidden = this.tables.length > 0;
    this.content.hidden = !this.tables.length;
    if (!this.tables.length) return;
    if (!this.tables.includes(wish.table)) wish.table = this.tables[0];
    this.name.value = wish.table;
    write();
    const asked = ++this.asked;
    this.count.textContent = "Reading ...";
    this.root.setAttribute("aria-busy", "true");
    try {
      const page = await get("rows", { ...this.question(), offset: wish.offset, limit: wish.limit });
      if (asked !== this.asked) return;
      this.draw(page);
      this.drawHistogram();
    } catch (error) {
      if (asked !== this.asked) return;
      this.count.textContent = "Could not be read. Take a filter away, or choose another table.";
      this.drawChips();
      this.tell(error.message);
    } finally {
      this.root.removeAttribute("aria-busy");
    }
  }

  draw(page) {
    this.selected = page.selected;
    if (this.columns.map(({ name }) => name).join() !== page.columns.map(({ name }) => name).join()) {
      this.columns = page.columns;
      const pairs = page.columns.map(({ name }) => [name, name]);
      offer(this.column, pairs);
      offer(this.shown, pairs);
      const usual = usualColumn(page.columns);
      if (usual.startsWith("p_")) this.column.value = usual;
      this.offerTests();
    }
    if (!page.columns.some(({ name }) => name === wish.column)) wish.column = usualColumn(page.columns);
    this.shown.value = wish.column;
    this.drawChips();
    const [first, last] = [page.selected ? page.offset + 1 : 0, Math.min(page.offset + page.rows.length, page.selected)];
    const of = page.selected === page.total ? `${thousands(page.total)} rows` : `${thousands(page.selected)} selected of ${thousands(page.total)} rows`;
    this.count.textContent = page.selected ? `${thousands(first)} to ${thousands(last)}: ${of}` : `No row passes the filters (${thousands(page.total)} rows).`;
    const [previous, next] = [page.offset > 0, last < page.selected];
    [previous, previous, next, next].forEach((possible, k) => (this.paging.children[k].disabled = !possible));
    const sorted = (name) => (wish.sort !== name ? "none" : wish.descending ? "descending" : "ascending");
    const arrow = { none: "", ascending: " ▲", descending: " ▼" };
    this.head.replaceChildren(element("tr", {}, ...this.columns.map(({ name, kind, unit, description }) => element("th", { scope: "col", class: kind, "aria-sort": sorted(name), title: description },
      element("button", { type: "button", onclick: () => this.sort(name) }, `${name}${arrow[sorted(name)]}`, unit && unit !== "1" ? element("small", {}, ` ${unit}`) : ""))), element("th", { scope: "col" }, "look")));
    const [ra, dec] = ["ra_deg", "dec_deg"].map((name) => this.columns.findIndex((column) => column.name === name));
    this.body.replaceChildren(...page.rows.map((row, k) => element("tr", {}, ...row.map((value, c) => element("td", { class: this.columns[c].kind }, written(value, this.columns[c]))),
      element("td", { class: "look" }, page.keys[k] ? element("button", { type: "button", onclick: () => this.open(page.keys[k]) }, "source") : "",
        ra >= 0 && dec >= 0 && row[ra] !== null && row[dec] !== null ? element("a", { href: aladin(row[ra], row[dec]), target: "_blank", rel: "noopener noreferrer" }, "sky ↗") : ""))));
  }

  drawChips() {
    this.chips.replaceChildren(...wish.where.map((text, k) => {
      const [column, test, ...value] = text.split(":");
      return element("li", {}, `${column} ${WORDS[test] || test} ${value.join(":")}`, element("button", { type: "button", "aria-label": `Remove the filter on ${column}`, onclick: () => this.change({ where: wish.where.filter((_, other) => other !== k), offset: "0" }) }, "×"));
    }));
  }

  async drawHistogram() {
    const asked = ++this.drawn;
    try {
      const found = await get("histogram", { table: wish.table, column: wish.column, where: wish.where });
      if (asked === this.drawn) histogram(this.plot, found, (tests) => this.change({ where: [...wish.where, ...tests], offset: "0" }));
    } catch (error) {
      if (asked === this.drawn) this.plot.replaceChildren(element("p", { class: "note" }, error.message));
    }
  }

  offerTests() {
    const kind = this.columns.find(({ name }) => name === this.column.value)?.kind || "text";
    offer(this.test, TESTS[kind]);
    this.value.placeholder = { number: "0.9", "yes-no": "true or false", text: "" }[kind];
  }

  filter(event) {
    event.preventDefault();
    if (this.value.value === "") return this.value.focus();
    const number = this.columns.find(({ name }) => name === this.column.value)?.kind === "number";
    const value = this.value.value.trim();
    const text = `${this.column.value}:${this.test.value}:${number ? typed(value) : value}`;
    this.value.value = "";
    return this.change({ where: [...new Set([...wish.where, text])], offset: "0" });
  }

  sort(name) {
    const again = wish.sort === name;
    this.change(again && wish.descending ? { sort: "", descending: "", offset: "0" } : { sort: name, descending: again ? "true" : "", offset: "0" });
  }

  step(by) {
    const limit = Number(wish.limit);
    const last = Math.max(Math.ceil(this.selected / limit) - 1, 0);
    const page = Math.min(Math.max(by === Infinity ? last : by === -Infinity ? 0 : Number(wish.offset) / limit + by, 0), last);
    this.change({ offset: String(page * limit) });
  }

  change(changes) {
    Object.assign(wish, changes);
    this.show();
  }

  saveSelection() {
    if (this.selected > 200000) this.tell(`${thousands(this.selected)} rows are selected; a VOTable takes at most 200,000. Filter the table first.`);
    else save(endpoint("selection.vot", query(this.question())), "");
  }

  key(event) {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by || this.content.hidden) return false;
    this.step(by);
    return true;
  }
}

/** The column that is counted first: the first probability with a spread, else the last probability, else the first number. */
function usualColumn(columns) {
  const names = columns.map(({ name }) => name);
  const chances = names.filter((name) => name.startsWith("p_"));
  const spread = chances.find((name) => chances.includes(`${name}_low`));
  return spread ?? chances.at(-1) ?? (columns.find(({ kind }) => kind === "number") || columns[0])?.name ?? "";
}
