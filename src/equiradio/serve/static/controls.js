// What steers the source view: models, rotation, display, saving.

import { choice, element, labelled } from "./api.js";
import { NAMES, STRETCHES } from "./colours.js";
import { Picker } from "./picker.js";
import { NOWHERE } from "./readout.js";
import { saveFits, savePicture, sendMap } from "./saving.js";

/** A control that shows a part of the state and sets it. */
function bound(view, wish, name, made) {
  made.value = wish[name];
  made.addEventListener("input", () => view.set(name, made.type === "checkbox" ? (made.checked ? "1" : "0") : made.value));
  return made;
}

/** Everything of the source view that stays, whatever is shown. */
export function build(view, wish) {
  const control = (name, made) => bound(view, wish, name, made);
  view.picker = new Picker((key) => view.open(key), (file) => view.upload(file), view.tell);
  view.title = element("h1", { id: "source-title" }, "No source yet");
  view.about = element("p", { class: "about" }, "Drop a FITS cutout, or pick a source from the list.");
  view.pace = element("p", { class: "pace", id: "pace" }, "");
  view.rowsBox = element("div", { class: "rows" });
  view.readout = element("p", { class: "readout", id: "readout" }, NOWHERE);
  view.models = ["a", "b"].map((name) => control(name, element("select", { id: `model-${name}` })));
  const models = element("div", { class: "fields models" }, labelled("Model", view.models[0]), labelled("Beside it", view.models[1]));
  view.work = element(
    "div", { class: "work", hidden: true },
    element("div", { class: "steering" }, models, turning(view, wish)), view.pace, view.rowsBox, view.readout, display(view, control), saving(view),
  );
  view.empty = element("p", { class: "empty" }, "Nothing is shown yet. A source from the list will do.");
  view.root.append(view.picker.box, element("div", { class: "stage" }, view.title, view.about, view.empty, view.work));
}

function turning(view, wish) {
  view.slider = element("input", { type: "range", min: 0, max: 360, step: 1, id: "rotation", oninput: () => view.turn(Number(view.slider.value)) });
  view.angle = element("output", { for: "rotation", class: "angle" }, "0°");
  view.play = element("button", { type: "button", id: "play", onclick: () => view.toggleSpin(), "aria-pressed": "false" }, "Turn");
  const to = (words, angle) => element("button", { type: "button", onclick: () => view.turn(angle()) }, words);
  return element(
    "div", { class: "turning" }, element("label", { for: "rotation" }, "Rotation"), view.slider, view.angle, view.play,
    to("0°", () => 0), to("+90°", () => (wish.rotation % 360) + 90),
  );
}

function display(view, control) {
  const maps = Object.entries(NAMES);
  const levels = [["0", "none"], ["1", "1 level"], ...["3", "5", "9"].map((count) => [count, `${count} levels`])];
  view.map = control("map", choice([["0", "attention, all gates"]], { id: "map" }));
  view.controls = {
    stretch: control("stretch", choice(Object.keys(STRETCHES).map((name) => [name, name]), { id: "stretch" })),
    image: control("image", choice(maps, { id: "image-colours" })),
    colours: control("colours", choice(maps.filter(([name]) => name !== "gray"), { id: "map-colours" })),
    range: control("range", choice([["own", "its own"], ["unit", "0 to 1"]], { id: "range" })),
    over: control("over", element("input", { type: "checkbox", id: "over" })),
    opacity: control("opacity", element("input", { type: "range", min: 0, max: 1, step: 0.05, id: "opacity" })),
    contours: control("contours", choice(levels, { id: "contours" })),
  };
  const { stretch, image, colours, range, over, opacity, contours } = view.controls;
  return element(
    "details", { class: "display", open: window.innerWidth > 700 }, element("summary", {}, "Display"),
    element(
      "div", { class: "fields" },
      labelled("Map", view.map), labelled("Map colours", colours), labelled("Map range", range), labelled("Image colours", image), labelled("Stretch", stretch),
      labelled("Contours", contours), labelled("Overlay", over, "check"), labelled("Opacity", opacity),
    ),
  );
}

function saving(view) {
  const button = (id, words, act) => element("button", { type: "button", id, onclick: () => act(view) }, words);
  return element(
    "div", { class: "saving" },
    button("save-png", "PNG", savePicture), button("save-fits", "FITS map", saveFits), button("copy-link", "Copy link", () => view.copyLink()), button("samp-map", "Send by SAMP", sendMap),
  );
}
