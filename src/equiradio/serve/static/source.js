// The source view: a source, its class, and attention that turns with it.

import { bytes, choice, element, get, labelled, offer, post } from "./api.js";
import { NAMES, STRETCHES } from "./colours.js";
import { Picker } from "./picker.js";
import { eye, lookAt, SIDE } from "./panel.js";
import { Row } from "./row.js";
import { saveFits, savePicture, sendMap } from "./saving.js";
import { position, sexagesimal, unturned } from "./sky.js";
import { address, state, write } from "./state.js";
import { Latest } from "./turning.js";

const wish = state.source;

export class SourceView {
  constructor(root, tell) {
    Object.assign(this, { root, tell, source: null, rows: [], shown: null, spin: null, asked: 0 });
    this.latest = new Latest((ask) => this.explain(ask), (answer, ask) => this.arrived(answer, ask), (error) => this.failed(error));
    this.build();
  }

  build() {
    this.picker = new Picker((key) => this.open(key), (file) => this.upload(file), this.tell);
    this.title = element("h1", { id: "source-title" }, "No source yet");
    this.about = element("p", { class: "about" }, "Drop a FITS cutout, or pick a source from the list.");
    this.slider = element("input", { type: "range", min: 0, max: 360, step: 1, id: "rotation", oninput: () => this.turn(Number(this.slider.value)) });
    this.angle = element("output", { for: "rotation", class: "angle" }, "0°");
    this.play = element("button", { type: "button", id: "play", onclick: () => this.toggleSpin(), "aria-pressed": "false" }, "Turn");
    this.pace = element("p", { class: "pace", id: "pace" }, "");
    this.rowsBox = element("div", { class: "rows" });
    this.readout = element("p", { class: "readout", id: "readout" }, "Point at the image for position and value.");
    const control = (name, made) => {
      made.value = wish[name];
      made.addEventListener("input", () => this.set(name, made.type === "checkbox" ? (made.checked ? "1" : "0") : made.value));
      return made;
    };
    this.models = ["a", "b"].map((name) => control(name, element("select", { id: `model-${name}` })));
    this.map = control("map", choice([["0", "mean of the gates"]], { id: "map" }));
    const maps = Object.entries(NAMES);
    this.controls = {
      stretch: control("stretch", choice(Object.keys(STRETCHES).map((name) => [name, name]), { id: "stretch" })),
      image: control("image", choice(maps, { id: "image-colours" })),
      colours: control("colours", choice(maps.filter(([name]) => name !== "gray"), { id: "map-colours" })),
      range: control("range", choice([["own", "its own"], ["unit", "0 to 1"]], { id: "range" })),
      over: control("over", element("input", { type: "checkbox", id: "over" })),
      opacity: control("opacity", element("input", { type: "range", min: 0, max: 1, step: 0.05, id: "opacity" })),
      contours: control("contours", choice([["0", "none"], ["1", "1 level"], ["3", "3 levels"], ["5", "5 levels"], ["9", "9 levels"]], { id: "contours" })),
    };
    const { stretch, image, colours, range, over, opacity, contours } = this.controls;
    const display = element(
      "details", { class: "display", open: window.innerWidth > 700 }, element("summary", {}, "Display"),
      element(
        "div", { class: "fields" },
        labelled("Map", this.map), labelled("Map colours", colours), labelled("Map range", range), labelled("Image colours", image), labelled("Stretch", stretch),
        labelled("Contours", contours), labelled("Overlay", over, "check"), labelled("Opacity", opacity),
      ),
    );
    const saving = element(
      "div", { class: "saving" },
      element("button", { type: "button", id: "save-png", onclick: () => savePicture(this) }, "PNG"),
      element("button", { type: "button", id: "save-fits", onclick: () => saveFits(this) }, "FITS map"),
      element("button", { type: "button", id: "copy-link", onclick: () => this.copyLink() }, "Copy link"),
      element("button", { type: "button", id: "samp-map", onclick: () => sendMap(this) }, "Send by SAMP"),
    );
    const turning = element(
      "div", { class: "turning" },
      element("label", { for: "rotation" }, "Rotation"), this.slider, this.angle, this.play,
      element("button", { type: "button", onclick: () => this.turn(0) }, "0°"), element("button", { type: "button", onclick: () => this.turn(wish.rotation % 360 + 90) }, "+90°"),
    );
    this.work = element(
      "div", { class: "work", hidden: true },
      element("div", { class: "steering" }, element("div", { class: "fields models" }, labelled("Model", this.models[0]), labelled("Beside it", this.models[1])), turning), this.pace, this.rowsBox, this.readout, display, saving,
    );
    this.empty = element("p", { class: "empty" }, "Nothing is shown yet. A source from the list will do.");
    this.root.append(this.picker.box, element("div", { class: "stage" }, this.title, this.about, this.empty, this.work));
  }

  /** Models and sets, once. */
  start(models, sets) {
    this.known = models;
    const pairs = models.map(({ name, group }) => [name, group === "none" ? `${name} (no symmetry)` : `${name} (${group})`]);
    offer(this.models[0], pairs);
    offer(this.models[1], [["", "none"], ...pairs]);
    this.picker.start(sets);
  }

  /** Show what the state asks for. */
  async show() {
    if (!this.known.some(({ name }) => name === wish.a)) wish.a = this.known[0]?.name || "";
    if (!this.known.some(({ name }) => name === wish.b)) wish.b = "";
    this.models[0].value = wish.a;
    this.models[1].value = wish.b;
    for (const [name, made] of Object.entries(this.controls)) {
      if (made.type === "checkbox") made.checked = wish[name] === "1";
      else made.value = wish[name];
    }
    if (!wish.key) this.picker.open(wish.set || this.picker.first());
    else if (this.source?.key !== wish.key) await this.open(wish.key, Number(wish.rotation));
    else if (this.rows.map(({ name }) => name).join() !== [wish.a, wish.b].filter(Boolean).join()) this.arrange();
    else {
      if (this.shown && this.shown.rotation !== Number(wish.rotation)) this.turn(Number(wish.rotation));
      this.draw();
    }
  }

  async upload(file) {
    const asked = ++this.asked;
    this.about.textContent = `Reading ${file.name} ...`;
    try {
      const source = await post("sources", { file });
      this.picker.open("upload");
      if (asked === this.asked) this.take(source, 0);
    } catch (error) {
      if (asked === this.asked) this.about.textContent = this.source ? this.describe(this.source) : "Drop another file, or pick a source from the list.";
      this.tell(error.message);
    }
  }

  async open(key, rotation = Number(wish.rotation) || 0) {
    const asked = ++this.asked;
    this.root.classList.add("loading");
    try {
      const source = await get("source", { key });
      if (asked === this.asked) this.take(source, rotation);
    } catch (error) {
      if (asked !== this.asked) return;
      const shown = this.source ? { key: this.source.key, set: this.source.key.split("/")[0], rotation: String(this.shown?.rotation ?? 0) } : { key: "" };
      Object.assign(wish, shown); // what is on the screen stays what links and files mean
      write();
      this.tell(error.message);
    } finally {
      this.root.classList.remove("loading");
    }
  }

  take(source, rotation) {
    this.source = { ...source, plane: bytes(source.pixels), numbers: source.values && new Float32Array(bytes(source.values).buffer) };
    Object.assign(wish, { key: source.key, set: source.key.split("/")[0], rotation: String(rotation) });
    this.title.textContent = source.name;
    this.title.title = source.name;
    this.about.textContent = this.describe(source);
    this.empty.hidden = true;
    this.work.hidden = false;
    lookAt(1, SIDE / 2, SIDE / 2);
    this.picker.mark(source.key);
    this.shown = null;
    this.arrange();
    this.point(null);
  }

  describe(source) {
    const parts = [];
    if (source.label) parts.push(`catalogue: ${source.label}${source.confidence ? ` (${source.confidence})` : ""}`);
    const centre = position(source.sky, (SIDE - 1) / 2, (SIDE - 1) / 2);
    if (centre) parts.push(`ICRS ${sexagesimal(centre)}`);
    parts.push(source.arcsec_per_pixel ? `${Number(source.arcsec_per_pixel.toFixed(3))}″ per pixel` : "no scale known");
    if (!source.beam_arcsec) parts.push("no beam in the header");
    return [...parts, ...Object.values(source.flags)].join(" · ");
  }

  /** Rows for the models chosen, and everything asked anew. */
  arrange() {
    const names = [wish.a, wish.b].filter(Boolean);
    for (const row of this.rows) row.stop();
    this.rows = names.map((name) => new Row(name, this));
    this.rowsBox.replaceChildren(...this.rows.map((row) => row.box));
    this.rows.forEach((row) => row.waiting());
    Object.assign(this.latest, { times: [], warm: false });
    this.turn(Number(wish.rotation));
    for (const row of this.rows) row.classify(this.source.key);
  }

  set(name, value) {
    wish[name] = value;
    write();
    if ((name === "a" || name === "b") && this.source) this.arrange();
    else this.draw();
  }

  turn(angle) {
    const turned = ((angle % 360) + 360) % 360;
    const rotation = angle === 360 ? 360 : Math.round(turned * 10) / 10;
    wish.rotation = String(rotation);
    this.slider.value = rotation;
    this.angle.textContent = `${Math.round(rotation)}°`;
    write();
    if (this.source) this.latest.want({ key: this.source.key, models: this.rows.map((row) => row.name), rotation });
  }

  explain({ key, models, rotation }) {
    return post("explain", { source: key, model: models, rotation_deg: rotation });
  }

  arrived(answer, ask) {
    if (ask.key !== this.source?.key) return;
    this.shown = { rotation: ask.rotation, plane: bytes(answer.pixels) };
    for (const said of answer.answers) this.rows.find((row) => row.name === said.model)?.take(said);
    this.offerMaps(Math.max(...answer.answers.map((said) => said.gates), 0), answer.answers.some((said) => said.evidence));
    const median = this.latest.median();
    const pace = median === null ? "" : ` ${Math.round(median)} ms a frame (median).`;
    this.pace.textContent = `Shown at ${Math.round(ask.rotation)}°, clockwise on the screen.${pace}`;
    this.root.dataset.shown = String(ask.rotation);
    this.draw();
    if (this.spin && this.latest.next === null) requestAnimationFrame(() => this.spin && this.turn((Number(wish.rotation) + 2) % 360));
  }

  /** Maps to choose from: those that one of the models has. */
  offerMaps(gates, evident) {
    const deep = (k) => (k === 1 ? " (shallow)" : k === gates ? " (deep)" : "");
    const each = Array.from({ length: gates }, (_, k) => [String(k + 1), `gate ${k + 1}${deep(k + 1)}`]);
    const pairs = [["0", "mean of the gates"], ...each, ...(evident ? [["evidence", "evidence"]] : [])];
    if (this.map.options.length !== pairs.length) offer(this.map, pairs);
    if (!pairs.some(([key]) => key === wish.map)) wish.map = "0";
    this.map.value = wish.map;
  }

  choose(map) {
    this.map.value = map;
    this.set("map", map);
  }

  failed(error) {
    this.stopSpin();
    this.tell(error.message);
    for (const row of this.rows) row.failed();
  }

  draw() {
    if (!this.shown) return;
    for (const row of this.rows) row.draw(this.source, this.shown);
  }

  toggleSpin() {
    if (this.spin) return this.stopSpin();
    this.spin = true;
    this.play.textContent = "Stop";
    this.play.setAttribute("aria-pressed", "true");
    this.turn((Number(wish.rotation) + 2) % 360);
  }

  stopSpin() {
    this.spin = null;
    this.play.textContent = "Turn";
    this.play.setAttribute("aria-pressed", "false");
  }

  /** The pointer over a panel, in its row and column; turned says whether the panel shows the turning frame. */
  point(at, turned, say) {
    const rotation = this.shown?.rotation || 0;
    for (const row of this.rows) row.point(at, turned, rotation);
    if (!at || at.row < -0.5 || at.column < -0.5 || at.row > SIDE - 0.5 || at.column > SIDE - 0.5) {
      this.readout.textContent = "Point at the image for position and value.";
      return;
    }
    const sky = turned ? unturned(at.row, at.column, rotation) : at;
    const where = position(this.source.sky, sky.row, sky.column);
    const index = Math.round(sky.row) * SIDE + Math.round(sky.column);
    const inside = Math.round(sky.row) >= 0 && Math.round(sky.row) < SIDE && Math.round(sky.column) >= 0 && Math.round(sky.column) < SIDE;
    const value = !inside ? "outside" : this.source.numbers ? `${this.source.numbers[index].toPrecision(4)} ${this.source.unit}` : `${this.source.plane[index]} of 255`;
    const layer = say ? ` · ${say(Math.round(at.row) * SIDE + Math.round(at.column))}` : "";
    const words = where ? `${sexagesimal(where)} (${where.ra.toFixed(5)}° ${where.dec.toFixed(5)}°)` : "no position known";
    this.readout.textContent = `row ${Math.round(sky.row)}, column ${Math.round(sky.column)} · ${words} · ${value}${layer}`;
  }

  zoomed() {
    this.draw();
    this.root.dataset.zoom = eye.zoom.toFixed(2);
  }

  async copyLink() {
    const link = location.href.split("#")[0] + address("source");
    try {
      await navigator.clipboard.writeText(link);
      this.tell(wish.set === "upload" ? "Link copied. It holds until the viewer stops: the file was uploaded." : "Link copied.", "good");
    } catch {
      this.tell(`The link is ${link}`, "good");
    }
  }

  key(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step) this.picker.step(step);
    else if (event.key === "ArrowUp" || event.key === "ArrowDown") this.turn(Number(wish.rotation) + (event.key === "ArrowUp" ? 1 : -1));
    else if (event.key === "r" && this.source) this.toggleSpin();
    else if (event.key === "o") {
      this.controls.over.checked = !this.controls.over.checked;
      this.set("over", this.controls.over.checked ? "1" : "0");
    } else if (event.key === "e" && [...this.map.options].some(({ value }) => value === "evidence")) this.choose(wish.map === "evidence" ? "0" : "evidence");
    else return false;
    return true;
  }
}
