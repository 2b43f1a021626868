// Values of a table as text: numbers of four digits and more with commas, but for names that are numbers.

import { thousands } from "./api.js";

const NAME = /(^|_)id$/i;

/** A cell of a column {name, kind}. */
export function written(value, { name, kind }) {
  if (value === null) return "–";
  if (kind !== "number" || typeof value === "string" || NAME.test(name)) return String(value); // text: a number of too many digits for JavaScript
  if (Number.isInteger(value)) return Math.abs(value) < 1e15 ? thousands(value) : String(value);
  if (/_deg$/.test(name)) return value.toFixed(5);
  return Math.abs(value) >= 1e-3 && Math.abs(value) < 1e5 ? thousands(value, 4) : value.toPrecision(3);
}

/** An edge of a histogram's bar, in three digits where it is no whole number. */
export function short(edge) {
  const number = Number.isInteger(edge) && Math.abs(edge) < 1e6 ? edge : Number(edge.toPrecision(3));
  return Math.abs(number) >= 1e3 && Math.abs(number) < 1e15 ? thousands(number) : String(number);
}

/** A number that somebody typed or copied from a cell, without its commas; anything else as it is. */
export const typed = (text) => (/^[-+]?\d{1,3}(,\d{3})+(\.\d+)?$/.test(text) ? text.replaceAll(",", "") : text);
