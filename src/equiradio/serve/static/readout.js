// What stands below the panels: where the pointer is, and what is there.

import { position, sexagesimal, unturned } from "./sky.js";

export const NOWHERE = "Point at the image for position and value.";

/**
 * Words for a place {row, column} of a panel; turned says whether the panel shows the frame turned by rotation degrees.
 * source: {sky, plane, numbers, unit}; say: what the layer says at an index of the panel, if it says something.
 */
export function readout(source, at, turned, rotation, say, side = 150) {
  const within = (place) => place >= -0.5 && place <= side - 0.5;
  if (!at || !within(at.row) || !within(at.column)) return NOWHERE;
  const sky = turned ? unturned(at.row, at.column, rotation, side) : at;
  const [row, column] = [Math.round(sky.row), Math.round(sky.column)];
  const inside = row >= 0 && row < side && column >= 0 && column < side;
  const index = row * side + column;
  const value = !inside ? "outside" : source.numbers ? `${source.numbers[index].toPrecision(4)} ${source.unit}` : `${source.plane[index]} of 255`;
  const layer = say ? ` · ${say(Math.round(at.row) * side + Math.round(at.column))}` : "";
  const where = position(source.sky, sky.row, sky.column, side);
  const words = where ? `${sexagesimal(where)} (${where.ra.toFixed(5)}° ${where.dec.toFixed(5)}°)` : "no position known";
  return `row ${row}, column ${column} · ${words} · ${value}${layer}`;
}
