// Choosing a source: a file dropped, or one of a set.

import { choice, element, get, labelled, offer, thousands } from "./api.js";
import { state } from "./state.js";

const PAGE = 200;

export class Picker {
  constructor(open, upload, tell) {
    Object.assign(this, { openSource: open, upload, tell, sources: [], total: 0, asked: 0 });
    this.file = element("input", { type: "file", id: "file", accept: ".fits,.fit,.gz,.fz,.png,.npy", onchange: () => this.files(this.file.files) });
    this.drop = element("label", { class: "drop", for: "file" }, element("strong", {}, "Drop a FITS cutout"), element("span", {}, "or choose a file: FITS, PNG, NPY up to 64 MB"), this.file);
    this.set = choice([], { id: "set", onchange: () => this.open(this.set.value) });
    this.text = element("input", { type: "search", id: "find", autocomplete: "off", oninput: () => this.find() });
    this.count = element("p", { class: "note", role: "status" }, "");
    this.list = element("ul", { class: "sources" });
    this.more = element("button", { type: "button", hidden: true, onclick: () => this.load(this.sources.length) }, "Show more");
    this.box = element("aside", { class: "picker", "aria-label": "Choose a source" }, this.drop, labelled("Set", this.set), labelled("Find", this.text), this.count, this.list, this.more);
    for (const name of ["dragover", "drop", "dragleave"]) document.addEventListener(name, (event) => this.dragged(event));
  }

  start(sets) {
    offer(this.set, sets.map((name) => [name, name === "upload" ? "uploads" : name]));
  }

  first() {
    return this.set.options[0]?.value || "upload";
  }

  dragged(event) {
    if (![...(event.dataTransfer?.types || [])].includes("Files")) return;
    event.preventDefault();
    this.drop.classList.toggle("over", event.type === "dragover");
    if (event.type === "drop") this.files(event.dataTransfer.files);
  }

  files(files) {
    if (files[0]) this.upload(files[0]);
    this.file.value = "";
  }

  open(set) {
    state.source.set = this.set.value = set;
    this.text.value = "";
    return this.load(0);
  }

  find() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.load(0), 200);
  }

  async load(offset) {
    const asked = ++this.asked;
    this.count.textContent = this.set.value === "simulated" ? "Simulating 1,200 sources; this takes some seconds the first time ..." : "Reading ...";
    try {
      const found = await get("sources", { set: this.set.value, text: this.text.value, offset, limit: PAGE });
      if (asked !== this.asked) return;
      this.sources = offset ? [...this.sources, ...found.sources] : found.sources;
      this.total = found.total;
      this.count.textContent = found.total ? `${thousands(found.total)} sources` : this.text.value ? "None has this in its name." : this.set.value === "upload" ? "Nothing uploaded yet." : "This set is empty.";
      this.draw();
    } catch (error) {
      if (asked !== this.asked) return;
      this.count.textContent = "Could not be read.";
      this.tell(error.message);
    }
  }

  draw() {
    const item = ({ key, name, label, split }) =>
      element("li", {}, element("button", { type: "button", title: name, "data-key": key, onclick: () => this.openSource(key) },
        element("span", { class: "name" }, name), element("span", { class: "tag" }, [label, split].filter(Boolean).join(", "))));
    this.list.replaceChildren(...this.sources.map(item));
    this.more.hidden = this.sources.length >= this.total;
    this.mark(state.source.key);
  }

  mark(key) {
    for (const button of this.list.querySelectorAll("button")) {
      const here = button.dataset.key === key;
      button.setAttribute("aria-current", String(here));
      if (here) button.scrollIntoView({ block: "nearest" });
    }
    if (key && !this.sources.length && this.asked === 0) this.open(key.split("/")[0]);
  }

  step(by) {
    const at = this.sources.findIndex(({ key }) => key === state.source.key);
    const next = this.sources[at < 0 ? 0 : at + by];
    if (next) this.openSource(next.key);
  }
}
