// One model's row: the image with attention over it, attention in the turning frame and turned back, and the answer.

import { bytes, element, percent, post } from "./api.js";
import { compassOf, eye, lookAt, Panel, SIDE, span } from "./panel.js";
import { position, unturned } from "./sky.js";
import { state } from "./state.js";

const wish = state.source;

export class Row {
  constructor(name, view) {
    Object.assign(this, { name, view, said: null, turnedBack: [], maps: [], gone: false });
    this.panels = {};
    const figure = (kind, caption, label) => {
      const canvas = element("canvas", { class: `panel panel-${kind}`, role: "img", "aria-label": `${label}, ${name}` });
      this.panels[kind] = new Panel(canvas);
      this.listen(canvas, kind);
      return element("figure", {}, canvas, element("figcaption", {}, caption));
    };
    this.gates = element("div", { class: "gates" });
    this.answer = element("div", { class: "answer", "aria-live": "polite" });
    this.live = element("dl", { class: "live" });
    this.box = element(
      "article", { class: "row", "data-model": name }, element("h2", {}, name),
      element(
        "div", { class: "panels" },
        figure("sky", "Image, attention over it", "Image"), figure("turning", "Attention, turning", "Attention in the turning frame"),
        figure("back", "Attention, turned back", "Attention turned back"), element("div", { class: "words" }, this.answer, this.live), this.gates,
      ),
    );
  }

  stop() {
    this.gone = true;
    this.controller?.abort();
  }

  waiting() {
    this.answer.replaceChildren(element("p", { class: "wait" }, "Asking the network in several poses ..."));
  }

  failed() {
    if (!this.said) this.answer.replaceChildren(element("p", { class: "wait" }, "No answer. Choose the source again."));
  }

  async classify(key) {
    this.controller = new AbortController();
    await new Promise((resolve) => setTimeout(resolve, 250)); // whoever leafs through sources has gone by then
    if (this.gone) return;
    try {
      const said = await post("classify", { source: key, model: this.name }, this.controller.signal);
      if (!this.gone) this.judge(said);
    } catch (error) {
      if (error.name === "AbortError" || this.gone) return;
      this.answer.replaceChildren(element("p", { class: "wait" }, error.message));
    }
  }

  judge(said) {
    const share = { FRI: [said.p_fri, 1 - said.p_frii_high, 1 - said.p_frii_low], FRII: [said.p_frii, said.p_frii_low, said.p_frii_high] };
    const bars = Object.entries(share).map(([label, [p, low, high]]) => {
      const fill = element("span", { class: "fill" });
      const range = element("span", { class: "range" });
      fill.style.width = `${100 * p}%`;
      range.style.left = `${100 * low}%`;
      range.style.width = `${Math.max(100 * (high - low), 0.5)}%`;
      return element(
        "div", { class: "chance" }, element("span", { class: "label" }, label), element("span", { class: "track" }, fill, range),
        element("span", { class: "share" }, percent(p)), element("span", { class: "ends" }, `${percent(low)} to ${percent(high)}`),
      );
    });
    const flags = Object.values(said.flags).map((meaning) => element("li", {}, meaning));
    const spoken = said.members > 1 ? `${said.members} networks, ${said.answers} answers` : `1 network, ${said.answers} answers`;
    this.answer.replaceChildren(
      element("p", { class: `verdict ${said.uncertain ? "unsure" : ""}`, "data-label": said.label }, said.uncertain ? `${said.label}?` : said.label),
      ...bars, element("p", { class: "spoken" }, said.in_words), element("p", { class: "note" }, `90 % interval of ${spoken}, ${said.calibrated ? "calibrated" : "not calibrated"}`),
      flags.length ? element("ul", { class: "flags" }, ...flags) : "",
    );
  }

  take(said) {
    this.said = said;
    this.maps = said.maps.map(bytes);
    this.turnedBack = said.maps_turned_back.map(bytes);
    const pair = (word, value, kind = "") => [element("dt", {}, word), element("dd", { class: kind }, value)];
    this.live.replaceChildren(
      ...pair("FRII at this angle", `${percent(said.p_frii, 1)}, unturned ${percent(said.p_frii_unturned, 1)}`),
      ...(said.drift === null
        ? pair("Attention", "none: this network has no gates")
        : pair("Drift of attention", `${percent(said.drift, 1)} (resampling alone ${percent(said.drift_of_resampling, 1)})`, "drift")),
    );
    this.box.dataset.drift = said.drift ?? "";
    if (this.maps.length > 1 && this.gates.children.length !== this.maps.length) {
      this.thumbs = this.maps.map((_, k) => {
        const words = k === 0 ? "mean" : `gate ${k}`;
        const canvas = element("canvas", { class: "thumb", "aria-hidden": "true" });
        const button = element("button", { type: "button", class: "gate", onclick: () => this.choose(k) }, canvas, element("span", {}, words));
        this.gates.append(button);
        return { panel: new Panel(canvas), button };
      });
    }
  }

  choose(gate) {
    this.view.map.value = String(gate);
    this.view.set("map", String(gate));
  }

  draw(source, shown) {
    const gate = Math.min(Number(wish.map), this.maps.length - 1);
    const [map, back] = [this.maps[gate], this.turnedBack[gate]];
    const [low, high] = wish.range === "own" && map ? span(map) : [0, 255];
    const levels = Array.from({ length: Number(wish.contours) }, (_, k) => low + ((high - low) * (k + 1)) / (Number(wish.contours) + 1));
    const outline = Number(wish.contours) > 0;
    const colours = { colours: wish.colours, stretch: "linear", low, high };
    const scene = { base: { plane: shown.plane, colours: wish.image, stretch: wish.stretch } };
    scene.furniture = {
      scale: source.arcsec_per_pixel, beam: source.beam_arcsec, beamAngle: source.beam_pa_deg, angle: shown.rotation,
      compass: compassOf(source.sky, shown.rotation, position),
    };
    if (map && wish.over === "1") {
      scene.over = { plane: map, ...colours, fading: true, opacity: Number(wish.opacity) };
      scene.lines = [{ plane: map, levels, colour: "#fff" }];
    }
    this.panels.sky.show(scene);
    const drawn = (plane, under, [row, column] = []) =>
      plane && { base: { plane, ...colours }, lines: outline ? [{ plane: under, levels: [0.5], colour: "#fff", dashed: true }] : [], marker: { row, column } };
    this.panels.turning.show(drawn(map, shown.plane, this.said?.peaks[gate]) || {});
    const backScene = drawn(back, source.plane, this.said?.peaks_turned_back[gate]) || {};
    if (back) backScene.base.within = shown.rotation;
    this.panels.back.show(backScene);
    if (map) {
      this.box.dataset.peak = this.said.peaks[gate].join();
      this.thumbs?.forEach(({ panel, button }, k) => {
        panel.show({ base: { plane: this.maps[k], colours: wish.colours, stretch: "linear" } });
        button.setAttribute("aria-pressed", String(k === gate));
      });
    }
  }

  /** A cross at the same place of the sky in every panel. */
  point(at, turned, rotation) {
    const sky = at && (turned ? unturned(at.row, at.column, rotation) : at);
    const there = sky && unturned(sky.row, sky.column, -rotation);
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
      else this.view.point(at, turned, kind === "sky" ? null : kind === "back" ? this.turnedBack[Number(wish.map)] : this.maps[Number(wish.map)]);
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
