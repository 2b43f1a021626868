// What is seen, taken away: a PNG of the panels, a FITS file of the maps, a message to the SAMP hub.

import { endpoint, get, post, query } from "./api.js";

const GAP = 12;
const LINE = 22;

export function save(address, name) {
  const link = document.createElement("a");
  Object.assign(link, { href: address, download: name });
  link.click();
}

/** Whether there is something to take away; else it is said. */
function ready(view) {
  const there = view.shown !== null && view.rows.length > 0 && view.rows.every((row) => row.explanation);
  if (!there) view.tell("The map is not there yet. Try again when it is.");
  return there;
}

/** All panels of all rows in one picture, with the words that belong to them. */
export function savePicture(view) {
  if (!ready(view)) return;
  const rows = view.rows.map((row) => Object.values(row.panels).map((panel) => panel.canvas));
  const side = rows[0][0].width;
  const sheet = document.createElement("canvas");
  sheet.width = 3 * side + 4 * GAP;
  sheet.height = 2 * LINE + rows.length * (side + LINE + GAP) + GAP;
  const pen = sheet.getContext("2d");
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, sheet.width, sheet.height);
  pen.fillStyle = "#111";
  pen.font = "15px system-ui, sans-serif";
  pen.fillText(`${view.source.name}, turned by ${view.shown.rotation}°`, GAP, LINE, sheet.width - 2 * GAP);
  rows.forEach((canvases, k) => {
    const top = 2 * LINE + k * (side + LINE + GAP);
    const answer = view.rows[k].box.querySelector(".spoken")?.textContent || "";
    const shown = Object.values(view.rows[k].captions).map((caption) => caption.textContent).join("; ");
    pen.fillText(`${view.rows[k].title()}: ${shown}. ${answer}`, GAP, top, sheet.width - 2 * GAP);
    canvases.forEach((canvas, place) => pen.drawImage(canvas, GAP + place * (side + GAP), top + 8));
  });
  const turned = view.shown.rotation;
  sheet.toBlob((blob) => {
    const address = URL.createObjectURL(blob);
    save(address, `${view.source.name.replace(/[^\w+.-]/g, "_")}-${turned}deg.png`);
    setTimeout(() => URL.revokeObjectURL(address), 10000);
  });
}

/** What is on the screen, which a wish that is still being answered is not. */
const question = ({ source, rows, shown }) => query({ source: source.key, model: rows[0].name, member: rows[0].explanation.member, rotation_deg: shown.rotation });

export function saveFits(view) {
  if (ready(view)) save(endpoint("map.fits", question(view)), "");
}

async function send(kind, asked, name, tell) {
  try {
    if (!(await get("samp")).hub) return tell("No SAMP hub runs. Start TOPCAT or Aladin, then send again.");
    const { clients } = await post("samp", { kind, query: asked, name });
    return tell(`Sent to ${clients} ${clients === 1 ? "program" : "programs"}.`, "good");
  } catch (error) {
    return tell(error.message);
  }
}

export const sendMap = (view) => ready(view) && send("image", question(view), view.source.name, view.tell);
export const sendTable = (asked, name, tell) => send("table", asked, name, tell);
