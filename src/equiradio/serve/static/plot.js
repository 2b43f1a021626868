// A histogram in SVG whose bars are buttons that filter.

import { thousands } from "./api.js";
import { short } from "./values.js";

const [HIGH, LEFT, BELOW, ABOVE] = [130, 52, 22, 10];

function svg(tag, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

/** Draw {column, edges, counts} or {column, words, counts}; filter(tests) is called with where-texts when a bar is chosen. */
export function histogram(box, { column, edges, words, counts }, filter) {
  box.replaceChildren();
  if (!counts.length) {
    const none = document.createElement("p");
    none.className = "note";
    none.textContent = "Nothing to count.";
    box.append(none);
    return;
  }
  const WIDE = Math.max(box.clientWidth, 240); // units are pixels of the screen, so that words stay readable on a phone
  const most = Math.max(...counts);
  const step = (WIDE - LEFT) / counts.length;
  const picture = svg("svg", { viewBox: `0 0 ${WIDE} ${HIGH + ABOVE + BELOW}`, role: "group", "aria-label": `Histogram of ${column}` });
  picture.append(svg("line", { x1: LEFT, x2: WIDE, y1: ABOVE + HIGH, y2: ABOVE + HIGH, class: "axis" }));
  for (const share of [0, 1]) picture.append(svg("text", { x: LEFT - 6, y: ABOVE + HIGH * (1 - share) + 4, "text-anchor": "end" }, thousands(Math.round(share * most))));
  counts.forEach((count, k) => {
    const tall = (count / most) * HIGH;
    const range = words ? words[k] : `${short(edges[k])} to ${short(edges[k + 1])}`;
    const bar = svg("rect", { x: LEFT + k * step + 0.5, y: ABOVE, width: Math.max(step - 1, 1), height: HIGH, class: "hit", tabindex: "0", role: "button", "aria-label": `${range}: ${thousands(count)}. Filter.` });
    bar.append(svg("title", {}, `${range}: ${thousands(count)}`));
    const choose = () => filter(words ? [`${column}:is:${words[k]}`] : [`${column}:min:${edges[k]}`, `${column}:${k === counts.length - 1 ? "max" : "below"}:${edges[k + 1]}`]);
    bar.addEventListener("click", choose);
    bar.addEventListener("keydown", (event) => (event.key === "Enter" || event.key === " ") && (event.preventDefault(), choose()));
    picture.append(svg("rect", { x: LEFT + k * step + 0.5, y: ABOVE + HIGH - tall, width: Math.max(step - 1, 1), height: tall, class: "count" }), bar);
  });
  const label = (place, text, anchor) => picture.append(svg("text", { x: place, y: ABOVE + HIGH + 16, "text-anchor": anchor }, text));
  if (words) words.forEach((word, k) => label(LEFT + (k + 0.5) * step, word.length > 80 / words.length + 2 ? `${word.slice(0, 80 / words.length)}…` : word, "middle"));
  else {
    label(LEFT, short(edges[0]), "start");
    label((LEFT + WIDE) / 2, short(edges[counts.length / 2] ?? edges[0]), "middle");
    label(WIDE, short(edges[counts.length]), "end");
  }
  box.append(picture);
}
