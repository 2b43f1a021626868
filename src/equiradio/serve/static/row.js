// One model's row: the image with a layer (attention or evidence) over it, the layer in the turning frame and turned back, and the answer.

import { choice, element, labelled, percent, post } from "./api.js";
import { compassOf } from "./furniture.js";
import { attentionLayers, evidenceLayer, plain, signed } from "./layers.js";
import { eye, lookAt, Panel, SIDE } from "./panel.js";
import { promised } from "./promises.js";
import { unturned } from "./sky.js";
import { state } from "./state.js";

const wish = state.source;

export class Row {
  /** place: "a" or "b"; model: as the server describes it. */
  constructor(place, model, view) {
    Object.assign(this, { place, model, name: model.name, view, explanation: null, layers: [], gone: false });
    this.panels = {};
    this.captions = {};
    const figure = (kind) => {
      const canvas = element("canvas", { class: `panel panel-${kind}`, role: "img" });
      this.panels[kind] = new Panel(canvas);
      this.captions[kind] = element("figcaption", {});
      this.listen(canvas, kind);
      return element("figure", {}, canvas, this.captions[kind]);
    };
    this.gates = element("div", { class: "gates" });
    this.answer = element("div", { class: "answer", "aria-live": "polite" });
    this.live = element("dl", { class: "live" });
    this.box = element(
      "article", { class: "row", "data-model": this.name }, element("div", { class: "heading" }, element("h2", {}, this.name), this.choiceOfMember()),
      element(
        "div", { class: "panels" },
        figure("sky"), figure("turning"), figure("back"), element("div", { class: "words" }, this.answer, this.live), this.gates,
      ),
    );
    this.caption("Attention", "");
  }

  /** The team's mean or one of its members; none where there is but one network. */
  choiceOfMember() {
    const { seeds } = this.model;
    if (seeds.length < 2) return null;
    const pairs = [["", `mean of ${seeds.length} networks`], ...seeds.map((seed) => [String(seed), `seed ${seed} alone`])];
    const name = `${this.place}_member`;
    this.member = choice(pairs, { class: "member", onchange: () => this.view.set(name, this.member.value) });
    return labelled("Maps of", this.member);
  }

  /** The member wished for: a seed, or nothing for all of them. */
  wished() {
    const seed = wish[`${this.place}_member`];
    if (this.member) this.member.value = seed;
    return this.member ? seed : "";
  }

  /** The model, and whose maps are shown where it has several networks. */
  title() {
    return this.member ? `${this.name}, ${this.member.selectedOptions[0].textContent}` : this.name;
  }

  /** What the panels show, in words. */
  caption(kind, colours) {
    const captions = { sky: `Image, ${kind.toLowerCase()} over it`, turning: `${kind}, turning${colours}`, back: `${kind}, turned back` };
    for (const [place, words] of Object.entries(captions)) {
      this.captions[place].textContent = words;
      this.panels[place].canvas.setAttribute("aria-label", `${words}, ${this.name}`);
    }
  }

  stop() {
    this.gone = true;
    this.controller?.abort();
  }

  waiting() {
    this.answer.replaceChildren(element("p", { class: "wait" }, "Asking the network in several poses ..."));
  }

  failed() {
    if (!this.explanation) this.answer.replaceChildren(element("p", { class: "wait" }, "No answer. Choose the source again."));
  }

  async classify(key) {
    this.controller = new AbortController();
    await new Promise((resolve) => setTimeout(resolve, 250)); // whoever leafs through sources has gone by then
    if (this.gone) return;
    try {
      const answer = await post("classify", { source: key, model: this.name }, this.controller.signal);
      if (!this.gone) this.judge(answer);
    } catch (error) {
      if (error.name === "AbortError" || this.gone) return;
      this.answer.replaceChildren(element("p", { class: "wait" }, error.message));
    }
  }

  /** The class answered, and a bar for each class. */
  judge(answer) {
    const chances = Object.entries(answer.probabilities);
    const longest = Math.max(...chances.map(([name]) => name.length));
    this.answer.style.setProperty("--label", `${Math.min(Math.max(longest + 2, 5), 18)}ch`);
    const flags = Object.values(answer.flags).map((meaning) => element("li", {}, meaning));
    const networks = answer.members > 1 ? `${answer.members} networks, ${answer.answers} answers` : `1 network, ${answer.answers} answers`;
    const verdict = { class: `verdict ${answer.uncertain ? "unsure" : ""}`, "data-label": answer.label };
    this.answer.replaceChildren(
      element("p", verdict, answer.uncertain ? `${answer.label}?` : answer.label), ...chances.map(([name, chance]) => bar(name, chance)),
      element("p", { class: "spoken" }, answer.in_words),
      element("p", { class: "note" }, `Spread (5 to 95 %) of ${networks}; probabilities ${answer.calibrated ? "calibrated" : "not calibrated"}`),
      promised(answer) ? element("p", { class: "note promised" }, promised(answer)) : "",
      flags.length ? element("ul", { class: "flags" }, ...flags) : "",
    );
  }

  take(explanation) {
    const { toward, p, p_unturned: still, drift, drift_of_resampling: resampling, member_agreement: agreement, evidence } = explanation;
    this.explanation = explanation;
    this.layers = [...evidenceLayer(explanation), ...attentionLayers(explanation)];
    const pair = (word, value, kind = "") => [element("dt", {}, word), element("dd", { class: kind }, value)];
    this.live.replaceChildren(
      ...pair(`${toward} at this angle`, `${percent(p, 1)}, unturned ${percent(still, 1)}`),
      ...(drift === null
        ? pair("Attention", "none: this network has no gates")
        : pair("Drift of attention", `${percent(drift, 1)} (resampling alone ${percent(resampling, 1)})`, "drift")),
      ...(agreement === null ? [] : pair("Agreement of the networks' maps", `${plain(agreement, 2)} (mean correlation)`, "agreement")),
      ...(evidence ? pair(`Log-odds of ${toward} at this angle`, inParts(evidence), "evidence") : []),
      ...(evidence && evidence.member_agreement !== null
        ? pair("Agreement of the networks' evidence", `${plain(evidence.member_agreement, 2)} (mean correlation)`, "evidence-agreement")
        : []),
    );
    this.box.dataset.drift = drift ?? "";
    if (this.layers.length > 1 && this.gates.children.length !== this.layers.length) {
      this.gates.replaceChildren();
      this.thumbs = this.layers.map(({ key, words }) => {
        const canvas = element("canvas", { class: "thumb", "aria-hidden": "true" });
        const button = element("button", { type: "button", class: "gate", onclick: () => this.view.choose(key) }, canvas, element("span", {}, words));
        this.gates.append(button);
        return { panel: new Panel(canvas), button };
      });
    }
  }

  /** The layer chosen, or the first where none was chosen or this network has none of that name: evidence where there is any. */
  layer() {
    return this.layers.find(({ key }) => key === wish.map) || this.layers[0];
  }

  draw(source, shown) {
    const layer = this.layer();
    const outline = Number(wish.contours) > 0;
    const scene = { base: { plane: shown.plane, colours: wish.image, stretch: wish.stretch } };
    scene.furniture = {
      scale: source.arcsec_per_pixel, beam: source.beam_arcsec, beamAngle: source.beam_pa_deg, angle: shown.rotation,
      compass: compassOf(source.sky, shown.rotation, SIDE),
    };
    if (layer && wish.over === "1") {
      scene.over = { ...layer.over(wish), plane: layer.map, opacity: Number(wish.opacity) };
      scene.lines = [{ plane: layer.map, levels: layer.levels(wish), colour: "#fff" }];
    }
    this.panels.sky.show(scene);
    if (!layer) {
      for (const kind of ["turning", "back"]) this.panels[kind].show({});
      return;
    }
    const drawn = (plane, under, peak) => {
      const lines = outline ? [{ plane: under, levels: [0.5], colour: layer.line || "#fff", dashed: true }] : [];
      return { base: { ...layer.base(wish), plane }, lines, bar: layer.bar, marker: peak && { row: peak[0], column: peak[1] } };
    };
    this.panels.turning.show(drawn(layer.map, shown.plane, layer.peak));
    const back = drawn(layer.back, source.plane, layer.peakBack);
    back.base.within = shown.rotation;
    this.panels.back.show(back);
    this.caption(layer.kind, layer.colours);
    this.box.dataset.layer = layer.key;
    this.box.dataset.peak = layer.peak ? layer.peak.join() : "";
    this.thumbs?.forEach(({ panel, button }, k) => {
      panel.show({ base: { ...this.layers[k].base({ ...wish, range: "unit" }), plane: this.layers[k].map } });
      button.setAttribute("aria-pressed", String(this.layers[k] === layer));
    });
  }

  /** What the layer says at an index of a panel, in words. */
  reader(kind) {
    const layer = this.layer();
    return layer && ((index) => layer.say((kind === "back" ? layer.back : layer.map)[index]));
  }

  /** A cross at the same place of the sky in every panel. */
  point(at, turned, rotation) {
    const sky = at && (turned ? unturned(at.row, at.column, rotation, SIDE) : at);
    const there = sky && unturned(sky.row, sky.column, -rotation, SIDE);
    for (const [kind, panel] of Object.entries(this.panels)) {
      panel.cursor = kind === "back" ? sky : there;
      panel.draw();
    }
  }

  listen(canvas, kind) {
    const turned = kind !== "back";
    const angleOf = (event) => {
      const box = canvas.getBoundingClientRect();
      return (Math.atan2(event.clientY - box.top - box.height / 2, event.clientX - box.left - box.width / 2) * 180) / Math.PI;
    };
    let held = null;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || event.pointerType === "touch") return;
      canvas.setPointerCapture(event.pointerId);
      held = { angle: angleOf(event), rotation: Number(wish.rotation), x: event.clientX, y: event.clientY, ...eye };
    });
    canvas.addEventListener("pointermove", (event) => {
      const at = this.panels[kind].pixel(event);
      if (held && event.shiftKey) {
        const unit = (canvas.clientWidth / SIDE) * eye.zoom;
        lookAt(eye.zoom, held.column - (event.clientX - held.x) / unit, held.row + (event.clientY - held.y) / unit);
        this.view.zoomed();
      } else if (held) this.view.turn(Math.round(held.rotation + angleOf(event) - held.angle));
      else this.view.point(at, turned, kind === "sky" ? null : this.reader(kind));
    });
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => (held = null));
    canvas.addEventListener("pointerleave", () => this.view.point(null));
    canvas.addEventListener("dblclick", () => {
      lookAt(1, SIDE / 2, SIDE / 2);
      this.view.zoomed();
    });
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      const at = this.panels[kind].pixel(event);
      const zoom = eye.zoom * Math.exp(-event.deltaY / 400);
      const share = eye.zoom / Math.min(Math.max(zoom, 1), 12);
      lookAt(zoom, at.column + 0.5 + (eye.column - at.column - 0.5) * share, at.row + 0.5 + (eye.row - at.row - 0.5) * share);
      this.view.zoomed();
    }, { passive: false });
  }
}

/** Probability of a class with its spread. */
function bar(name, { p, low, high }) {
  const fill = element("span", { class: "fill" });
  const range = element("span", { class: "range" });
  fill.style.width = `${100 * p}%`;
  range.style.left = `${100 * low}%`;
  range.style.width = `${Math.max(100 * (high - low), 0.5)}%`;
  return element(
    "div", { class: "chance" }, element("span", { class: "label", title: name }, name), element("span", { class: "track" }, fill, range),
    element("span", { class: "share" }, percent(p)), element("span", { class: "ends" }, `${percent(low)} to ${percent(high)}`),
  );
}

/** −0.70: pixels for FRI −2.60, for FRII +1.80, constant +0.10 */
function inParts({ margin, constant, sum_below: under, sum_above: over, below, above }) {
  return `${signed(margin, 2)}: pixels ${below} ${signed(under, 2)}, ${above} ${signed(over, 2)}, constant ${signed(constant, 2)}`;
}
