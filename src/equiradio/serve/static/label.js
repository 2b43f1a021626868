// The label view: one source after the other, one key a class, undo, comments. Every label is in the table before the next source shows.

import { bytes, element, get, percent, post } from "./api.js";
import { compassOf } from "./furniture.js";
import { Panel, setSide, SIDE } from "./panel.js";
import { state, write } from "./state.js";

const wish = state.labelling;
const AGAIN = 4000; // milliseconds between two looks at how far the network is

export class LabelView {
  constructor(root, tell) {
    Object.assign(this, { root, tell, known: null, source: null, way: [], busy: false, shows: false });
    const canvas = element("canvas", { class: "panel", role: "img", "aria-label": "The source to label" });
    this.panel = new Panel(canvas);
    this.title = element("h1", { id: "labelling-title" }, "Label");
    this.about = element("p", { class: "about" });
    this.state = element("p", { class: "state", role: "status", "aria-live": "polite" });
    this.classes = element("div", { class: "classes", role: "group", "aria-label": "Classes" });
    this.comment = element("input", { type: "text", maxlength: 500, id: "comment", onkeydown: (event) => this.typed(event) });
    this.model = element("p", { class: "model note", "aria-live": "polite" });
    const button = (words, key, act) => element("button", { type: "button", onclick: act }, words, " ", element("kbd", {}, key));
    this.steps = element(
      "div", { class: "steps" },
      button("Undo", "u", () => this.undo()), button("Skip", "s", () => this.skip()), button("Back", "←", () => this.back()),
      button("What the model says", "m", () => this.toggle()),
    );
    this.done = element("p", { class: "empty", hidden: true }, "Every image has a label.");
    this.work = element(
      "div", { class: "desk" }, element("figure", {}, canvas),
      element(
        "div", { class: "choices" }, this.classes,
        element("label", { class: "field wide" }, element("span", {}, "Comment, written with the label ", element("kbd", {}, "c")), this.comment),
        this.steps, this.model,
      ),
    );
    this.root.append(element("div", { class: "stage" }, this.title, this.about, this.state, this.done, this.work));
  }

  /** Ask what there is, and show the source of the link or the first one. */
  async show() {
    try {
      this.take(await get("labels", { source: wish.key }));
      await this.open(wish.key || this.known.next[0]);
    } catch (error) {
      this.tell(error.message);
    }
    clearInterval(this.timer);
    this.timer = setInterval(() => this.look(), AGAIN);
  }

  /** How far the network is: more of the images have an order. */
  async look() {
    if (this.root.hidden || this.busy || !this.known || this.known.asked >= this.known.total) return;
    const shown = this.source?.key;
    const known = await get("labels").catch(() => null);
    if (known && !this.busy && shown === this.source?.key) this.take(known);
  }

  take(known) {
    this.known = known;
    const { classes, keys, counts, labelled, total, asked, unreadable, file, who } = known;
    const order = asked < total ? ` The model was asked about ${asked}; the order gets better.` : "";
    const lost = unreadable ? ` ${unreadable} cannot be shown.` : "";
    this.about.textContent = `${labelled} of ${total} labelled into ${file} by ${who}.${lost}${order}`;
    if (this.classes.children.length !== classes.length) {
      this.classes.replaceChildren(...classes.map((name, k) =>
        element("button", { type: "button", class: "class", "data-class": name, onclick: () => this.give(name) },
          element("kbd", {}, keys[k]), element("span", { class: "name" }, name), element("span", { class: "count" }))));
    }
    for (const button of this.classes.children) button.querySelector(".count").textContent = counts[button.dataset.class];
  }

  async open(key) {
    this.done.hidden = Boolean(key);
    this.work.hidden = !key;
    if (!key) {
      this.source = null;
      this.title.textContent = "Label";
      return;
    }
    if (this.source?.key !== key) {
      const [source, known] = await Promise.all([get("source", { key }), get("labels", { source: key })]);
      this.take(known);
      this.source = { ...source, plane: bytes(source.pixels) };
      this.comment.value = known.given?.comment || "";
    }
    wish.key = key;
    write();
    setSide(this.source.side);
    const scale = { scale: this.source.arcsec_per_pixel, beam: this.source.beam_arcsec, beamAngle: this.source.beam_pa_deg, angle: 0 };
    const furniture = { ...scale, compass: compassOf(this.source.sky, 0, SIDE) };
    this.panel.show({ base: { plane: this.source.plane, colours: "gray", stretch: "sqrt" }, furniture });
    this.title.textContent = this.source.name;
    this.root.dataset.shown = key;
    const { given } = this.known;
    for (const button of this.classes.children) button.setAttribute("aria-pressed", String(given?.label === button.dataset.class));
    this.model.textContent = "";
    if (this.shows) this.ask(key);
  }

  /** One thing at a time: a key that is pressed twice must not label the next source. */
  async act(doing) {
    if (this.busy) return;
    this.busy = true;
    try {
      await doing();
    } catch (error) {
      this.tell(error.message);
    } finally {
      this.busy = false;
    }
  }

  give(label) {
    return this.act(async () => {
      if (!this.source) return;
      const { key, name } = this.source;
      const known = await post("labels", { source: key, label, comment: this.comment.value });
      this.take(known);
      this.way.push(key);
      this.state.textContent = `${name}: ${label}.`;
      await this.open(known.next.find((next) => next !== key));
    });
  }

  undo() {
    return this.act(async () => {
      const known = await post("labels/undo", {});
      this.source = null;
      await this.open(known.source);
      this.state.textContent = `${this.source.name}: label taken back.`;
    });
  }

  /** The next one that has no label; the server puts what was skipped behind all others. */
  skip() {
    return this.act(async () => {
      if (!this.source) return;
      const { key, name } = this.source;
      const known = await post("labels/skip", { source: key });
      this.take(known);
      this.way.push(key);
      this.state.textContent = `${name}: skipped.`;
      await this.open(known.next.find((next) => next !== key) || key);
    });
  }

  back() {
    return this.act(async () => {
      const key = this.way.pop();
      if (key) await this.open(key);
    });
  }

  /** The model's answer is not shown unless it is asked for: it would lead the eye. */
  toggle() {
    this.shows = !this.shows;
    this.model.textContent = "";
    if (this.shows && this.source) this.ask(this.source.key);
  }

  /** Nobody waits for it: the next label may be given meanwhile. */
  async ask(key) {
    this.model.textContent = "Asking the model ...";
    let words;
    try {
      const { probabilities, uncertain } = await post("classify", { source: key });
      const each = Object.entries(probabilities).map(([name, { p }]) => `${name} ${percent(p)}`);
      words = `The model: ${each.join(", ")}${uncertain ? "; it abstains" : ""}.`;
    } catch (error) {
      words = error.message;
    }
    if (this.shows && this.source?.key === key) this.model.textContent = words;
  }

  /** Keys of the line of comment: Enter and Escape go back to the classes. */
  typed(event) {
    if (event.key !== "Enter" && event.key !== "Escape") return;
    event.preventDefault();
    this.comment.blur();
    this.classes.querySelector("button")?.focus();
  }

  key(event) {
    const place = this.known ? this.known.keys.indexOf(event.key) : -1;
    if (event.repeat) return false;
    if (place >= 0) this.give(this.known.classes[place]);
    else if (event.key === "u") this.undo();
    else if (event.key === "s") this.skip();
    else if (event.key === "m") this.toggle();
    else if (event.key === "ArrowLeft") this.back();
    else if (event.key === "c") this.comment.focus();
    else return false;
    return true;
  }
}
