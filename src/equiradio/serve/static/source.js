// The source view: a source, its class, and attention that turns with it.

import { bytes, get, offer, post } from "./api.js";
import { build } from "./controls.js";
import { eye, setSide, SIDE } from "./panel.js";
import { readout } from "./readout.js";
import { Row } from "./row.js";
import { position, sexagesimal } from "./sky.js";
import { address, state, write } from "./state.js";
import { Latest, wrapped } from "./turning.js";

const wish = state.source;

export class SourceView {
  constructor(root, tell) {
    Object.assign(this, { root, tell, source: null, rows: [], shown: null, spin: null, asked: 0 });
    this.latest = new Latest((ask) => this.explain(ask), (answer, ask) => this.arrived(answer, ask), (error) => this.failed(error));
    build(this, wish);
  }

  /** Models and sets, once. */
  start(models, sets) {
    this.known = models;
    const pairs = models.map(({ name, group }) => [name, group === "none" ? `${name} (no symmetry)` : `${name} (${group})`]);
    offer(this.models[0], pairs);
    offer(this.models[1], [["", "none"], ...pairs]);
    this.picker.start(sets);
  }

  /** The model wished for in a row, as the server describes it. */
  modelOf(place) {
    return this.known.find(({ name }) => name === wish[place]);
  }

  /** Show what the state asks for. */
  async show() {
    if (!this.modelOf("a")) wish.a = this.known[0]?.name || "";
    if (!this.modelOf("b")) wish.b = "";
    for (const place of ["a", "b"]) if (!this.modelOf(place)?.seeds.map(String).includes(wish[`${place}_member`])) wish[`${place}_member`] = "";
    this.models[0].value = wish.a;
    this.models[1].value = wish.b;
    for (const [name, made] of Object.entries(this.controls)) {
      if (made.type === "checkbox") made.checked = wish[name] === "1";
      else made.value = wish[name];
    }
    if (!wish.key) this.picker.open(wish.set || this.picker.first());
    else if (this.source?.key !== wish.key) await this.open(wish.key, Number(wish.rotation));
    else if (this.rows.map(({ name }) => name).join("\n") !== [wish.a, wish.b].filter(Boolean).join("\n")) this.arrange();
    else {
      const members = this.rows.map((row) => row.wished()).join();
      if (this.shown && (this.shown.rotation !== Number(wish.rotation) || this.shown.members !== members)) this.turn(Number(wish.rotation));
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
    setSide(source.side);
    this.picker.mark(source.key);
    this.shown = null;
    this.arrange();
    this.point(null);
  }

  describe(source) {
    const parts = [];
    if (source.label) parts.push(`catalogue: ${source.label}${source.confidence ? ` (${source.confidence})` : ""}`);
    const centre = position(source.sky, (SIDE - 1) / 2, (SIDE - 1) / 2, SIDE);
    if (centre) parts.push(`ICRS ${sexagesimal(centre)}`);
    parts.push(source.arcsec_per_pixel ? `${Number(source.arcsec_per_pixel.toFixed(3))}″ per pixel` : "no scale known");
    if (!source.beam_arcsec) parts.push("no beam in the header");
    else if (source.beam_pa_deg === null) parts.push(`beam of ${Number(source.beam_arcsec[0].toPrecision(3))}″, stated in part`);
    return [...parts, ...Object.values(source.flags)].join(" · ");
  }

  /** Rows for the models chosen, and everything asked anew. */
  arrange() {
    for (const row of this.rows) row.stop();
    this.rows = ["a", "b"].filter((place) => wish[place]).map((place) => new Row(place, this.modelOf(place), this));
    this.rowsBox.replaceChildren(...this.rows.map((row) => row.box));
    this.rows.forEach((row) => row.waiting());
    this.pace.textContent = "Asking the network; its first answer waits until it is opened.";
    Object.assign(this.latest, { times: [], warm: false });
    this.turn(Number(wish.rotation));
    for (const row of this.rows) row.classify(this.source.key);
  }

  set(name, value) {
    wish[name] = value;
    if (name === "a" || name === "b") wish[`${name}_member`] = "";
    write();
    if ((name === "a" || name === "b") && this.source) this.arrange();
    else if (name.endsWith("_member")) this.turn(Number(wish.rotation));
    else this.draw();
  }

  turn(angle) {
    const rotation = wrapped(angle);
    wish.rotation = String(rotation);
    this.slider.value = rotation;
    this.angle.textContent = `${Math.round(rotation)}°`;
    write();
    if (this.source) this.latest.want({ key: this.source.key, rows: this.rows, members: this.rows.map((row) => row.wished()), rotation });
  }

  explain({ key, rows, members, rotation }) {
    return post("explain", { source: key, model: rows.map((row) => row.name), member: members, rotation_deg: rotation });
  }

  arrived(answer, ask) {
    if (ask.key !== this.source?.key || ask.rows !== this.rows) return;
    this.shown = { rotation: ask.rotation, members: ask.members.join(), plane: bytes(answer.pixels) };
    answer.answers.forEach((explanation, k) => this.rows[k].take(explanation));
    this.offerMaps(Math.max(...answer.answers.map(({ gates }) => gates), 0), answer.answers.some(({ evidence }) => evidence));
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
    const pairs = [...(evident ? [["evidence", "evidence"]] : []), ["0", "attention, all gates"], ...each];
    if (this.map.options.length !== pairs.length) offer(this.map, pairs);
    if (!pairs.some(([key]) => key === wish.map)) wish.map = "";
    this.map.value = wish.map || pairs[0][0];
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
    this.readout.textContent = this.source ? readout(this.source, at, turned, rotation, say, SIDE) : "";
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
    } else if (event.key === "e" && [...this.map.options].some(({ value }) => value === "evidence")) this.choose(this.map.value === "evidence" ? "0" : "evidence");
    else return false;
    return true;
  }
}
