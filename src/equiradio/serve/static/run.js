// The run view: a gallery of a split, and the run's figures.

import { choice, element, endpoint, get, labelled, offer, percent, query, thousands } from "./api.js";
import { state, write } from "./state.js";

const wish = state.run;
const SORTS = [["name", "name"], ["confidence", "the model's confidence"], ["disagreement", "disagreement of models"], ["spread", "spread over poses"]];
const all = (...words) => [["", "all"], ...words.map((word) => [word, word])];

export class RunView {
  constructor(root, tell, open) {
    Object.assign(this, { root, tell, open, runs: [], asked: 0 });
    const control = (name, made) => {
      made.addEventListener("change", () => this.set(name, made.type === "checkbox" ? (made.checked ? "true" : "") : made.value));
      return made;
    };
    this.controls = {
      run: control("run", choice([], { id: "run-name" })),
      evaluation: control("evaluation", choice([], { id: "evaluation" })),
      label: control("label", choice([], { id: "label" })),
      answer: control("answer", choice(all("correct", "wrong"), { id: "answer" })),
      sureness: control("sureness", choice(all("confident", "uncertain"), { id: "sureness" })),
      sort: control("sort", choice([], { id: "sort" })),
      descending: control("descending", element("input", { type: "checkbox", id: "descending" })),
    };
    const c = this.controls;
    this.count = element("p", { class: "note", role: "status", id: "gallery-count" }, "");
    this.grid = element("ul", { class: "gallery" });
    this.figures = element("details", { class: "figures" }, element("summary", {}, "Figures of this run and of its report"));
    this.figuresOf = "";
    this.figures.addEventListener("toggle", () => this.drawFigures());
    this.root.append(
      element("h1", { id: "run-title" }, "Run"),
      element("div", { class: "fields" }, labelled("Run", c.run, "wide"), labelled("Evaluation", c.evaluation), labelled("Class", c.label), labelled("Answer", c.answer),
        labelled("Label", c.sureness), labelled("Sort by", c.sort), labelled("Descending", c.descending, "check")),
      this.count, this.grid, this.figures,
    );
  }

  start(runs) {
    this.runs = runs.filter(({ evaluations }) => evaluations.length);
    offer(this.controls.run, this.runs.map(({ name }) => [name, name]));
  }

  async show() {
    if (!this.runs.length) {
      this.count.textContent = "";
      this.figures.hidden = true;
      this.root.querySelector(".fields").hidden = true;
      this.grid.replaceChildren(element("li", { class: "empty" }, "No run is offered. Start the viewer with --runs FOLDER, a folder of evaluated runs."));
      return;
    }
    const run = this.runs.find(({ name }) => name === wish.run) || this.runs[0];
    wish.run = run.name;
    if (!run.evaluations.includes(wish.evaluation)) wish.evaluation = run.evaluations[0];
    offer(this.controls.evaluation, run.evaluations.map((name) => [name, name]));
    this.offerClasses(run.choices[wish.evaluation]);
    for (const [name, made] of Object.entries(this.controls)) {
      if (made.type === "checkbox") made.checked = wish[name] === "true";
      else made.value = wish[name];
    }
    write();
    const asked = ++this.asked;
    this.count.textContent = "Reading ...";
    try {
      const found = await get("gallery", wish);
      if (asked === this.asked) this.draw(found);
    } catch (error) {
      if (asked !== this.asked) return;
      this.count.textContent = "Could not be read.";
      this.tell(error.message);
    }
    this.figures.hidden = !run.figures.length;
    this.drawFigures();
  }

  /** Filters and orders by the classes of an evaluation; a wish that goes by others is dropped. */
  offerClasses({ labels, sorts }) {
    const [first, ...others] = SORTS;
    const orders = [first, ...Object.entries(sorts).map(([column, name]) => [column, `probability of ${name}`]), ...others];
    offer(this.controls.label, all(...labels));
    offer(this.controls.sort, orders);
    if (!labels.includes(wish.label)) wish.label = "";
    if (!orders.some(([sort]) => sort === wish.sort)) wish.sort = "name";
  }

  drawFigures() {
    const run = this.runs.find(({ name }) => name === wish.run);
    if (!this.figures.open || !run || this.figuresOf === run.name) return;
    this.figuresOf = run.name;
    const figure = (name) => element("figure", {}, element("img", { src: endpoint("figure.png", query({ run: run.name, figure: name })), alt: `Figure ${name} of ${run.name}`, loading: "lazy" }), element("figcaption", {}, name));
    this.figures.replaceChildren(this.figures.firstChild, ...run.figures.map(figure));
  }

  draw({ run, set, total, tiles }) {
    const wrong = tiles.filter(({ correct }) => correct === false).length;
    this.count.textContent = tiles.length ? `${thousands(tiles.length)} of ${thousands(total)} sources, ${wrong} of them wrong` : `None of ${thousands(total)} sources passes the filters.`;
    const picture = (parameters, alt) => element("img", { src: endpoint("picture.png", query(parameters)), alt, width: 100, height: 100, loading: "lazy", onerror: (event) => event.target.classList.add("absent") });
    const tile = (each) => {
      const answer = `${each.says} ${percent(each.p)}`;
      const truth = `catalogue ${each.label}${each.confidence === "uncertain" ? ", unsure" : ""}`;
      const button = element(
        "button", { type: "button", title: each.source_id, class: each.correct === false ? "wrong" : "", "data-id": each.source_id, disabled: !set, onclick: () => this.open(`${set}/${each.source_id}`, this.modelOf(run)) },
        element("span", { class: "pair" }, set ? picture({ source: `${set}/${each.source_id}` }, "") : "", picture({ run, source_id: each.source_id }, "")),
        element("span", { class: "said" }, answer, each.correct === false ? element("b", {}, "wrong") : ""),
        element("span", { class: "truth" }, element("span", {}, truth), each.disagreement === null ? "" : element("span", {}, `models differ by ±${percent(each.disagreement)}`)),
        element("span", { class: "name" }, each.source_id),
      );
      return element("li", {}, button);
    };
    this.grid.replaceChildren(...tiles.map(tile));
  }

  modelOf(run) {
    return [run, this.runs.find(({ name }) => name === run)?.model];
  }

  set(name, value) {
    wish[name] = value;
    this.show();
  }

  key(event) {
    const tiles = [...this.grid.querySelectorAll("button")];
    const at = tiles.indexOf(document.activeElement);
    const across = tiles.filter((tile) => tile.offsetTop === tiles[0]?.offsetTop).length;
    const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across }[event.key];
    if (!by || !tiles.length) return false;
    const next = tiles[at < 0 ? 0 : Math.min(Math.max(at + by, 0), tiles.length - 1)];
    next.focus();
    return true;
  }
}
