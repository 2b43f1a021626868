// The page: views, keys, notices, theme.

import { get } from "./api.js";
import { LabelView } from "./label.js";
import { RunView } from "./run.js";
import { SourceView } from "./source.js";
import { address, read, state } from "./state.js";
import { TableView } from "./table.js";

const at = (id) => document.getElementById(id);
const notice = at("notice");

function tell(text, kind = "bad") {
  notice.className = kind;
  notice.querySelector("p").textContent = text;
  notice.hidden = false;
  clearTimeout(tell.timer);
  if (kind === "good") tell.timer = setTimeout(() => (notice.hidden = true), 4000);
}

notice.querySelector("button").addEventListener("click", () => (notice.hidden = true));

function openSource(key, models = []) {
  const known = views.source.known.map(({ name }) => name);
  const model = models.find((name) => known.includes(name));
  if (model) state.source.a = model;
  Object.assign(state.source, { key, set: key.split("/")[0], rotation: "0" });
  location.hash = address("source");
}

const views = {
  source: new SourceView(at("source"), tell),
  run: new RunView(at("run"), tell, openSource),
  table: new TableView(at("table"), tell, openSource),
  labelling: new LabelView(at("labelling"), tell),
};

function show() {
  read();
  for (const [name, view] of Object.entries(views)) {
    view.root.hidden = name !== state.view;
    const link = document.querySelector(`nav a[data-view=${name}]`);
    if (name === state.view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
    link.href = address(name);
  }
  document.title = `${state.view} – equiradio`;
  if (state.view !== "source") views.source.stopSpin();
  views[state.view].show();
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input:not([type=checkbox]), select, textarea, dialog") || event.target.closest(".scroll");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "?") at("keys").showModal();
  else if (views[state.view].key(event)) event.preventDefault();
});

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address behind '#' is the view's
  at("stage").focus();
});

at("keys-button").addEventListener("click", () => at("keys").showModal());

const THEMES = ["system", "light", "dark"];
at("theme").addEventListener("click", () => {
  const now = document.documentElement.dataset.theme || "system";
  const next = THEMES[(THEMES.indexOf(now) + 1) % THEMES.length];
  document.documentElement.dataset.theme = next;
  at("theme").textContent = `Theme: ${next}`;
});

async function start() {
  try {
    const [health, models, runs, tables] = await Promise.all([get("health"), get("models"), get("runs"), get("tables")]);
    views.source.start(models, health.sets);
    document.querySelector("nav a[data-view=labelling]").hidden = !health.labelling;
    if (health.labelling && !location.hash) location.hash = address("labelling"); // what it was started for
    views.run.start(runs);
    views.table.start(tables);
    const problems = runs.flatMap(({ problem }) => problem || []);
    if (problems.length) tell(problems.join(" "));
    if (!models.length) tell("No model is offered. Start the viewer with --model RUN.");
    window.addEventListener("hashchange", show);
    show();
    document.body.dataset.ready = "true";
  } catch (error) {
    tell(error.message);
  }
}

start();
