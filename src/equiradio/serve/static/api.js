// Asking the server. Whatever it refuses arrives as one shape and is thrown as Refused, in words.

export class Refused extends Error {
  constructor(parts, status) {
    super(`${parts.where}: ${parts.found}; expected ${parts.expected}. ${parts.do}`);
    this.parts = parts;
    this.status = status;
  }
}

async function answer(response) {
  if (response.ok) return response.json();
  let parts = { where: "server", found: `status ${response.status}`, expected: "an answer", do: "Ask again." };
  try {
    parts = (await response.json()).error || parts;
  } catch {
    // not JSON: the words above must do
  }
  throw new Refused(parts, response.status);
}

async function ask(address, options) {
  let response;
  try {
    response = await fetch(address, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused({ where: "server", found: "no answer", expected: "a running viewer", do: "Start 'equiradio serve' again." }, 0);
  }
  return answer(response);
}

/** Parameters of an address; lists repeat, empty ones are left out. */
export function query(parameters) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== "") search.append(name, one);
    }
  }
  return search.toString();
}

/** The address of an endpoint, relative to the page: a proxy may show the viewer below any path. */
export const endpoint = (path, asked = "") => `api/${path}${asked && `?${asked}`}`;

export const get = (path, parameters = {}, signal) => ask(endpoint(path, query(parameters)), { signal });

export function post(path, fields, signal) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    for (const one of Array.isArray(value) ? value : [value]) if (one !== null && one !== undefined) form.append(name, one);
  }
  return ask(endpoint(path), { method: "POST", body: form, signal });
}

/** Base64 to numbers. */
export function bytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

/** An element with attributes, listeners (on...) and children. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "class") made.className = value;
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** A labelled control. */
export function labelled(text, control, extra = "") {
  return element("label", { class: `field ${extra}` }, element("span", {}, text), control);
}

/** A choice among values: [value, words] pairs. */
export function choice(pairs, attributes = {}) {
  return element("select", attributes, ...pairs.map(([value, words]) => element("option", { value }, words)));
}

/** Offer other choices in a select; the first is chosen. */
export function offer(select, pairs) {
  select.replaceChildren(...choice(pairs).children);
  select.selectedIndex = 0;
}

export const percent = (share, digits = 0) => `${(100 * share).toFixed(digits)} %`;
export const thousands = (number, digits = 0) => number.toLocaleString("en-GB", { minimumFractionDigits: digits, maximumFractionDigits: digits });
