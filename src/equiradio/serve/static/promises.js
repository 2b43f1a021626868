// What the team's card promises of an answer, in words.

import { percent } from "./api.js";

/** Classes that cannot be ruled out, and how right such answers were; empty where the card promises nothing. */
export function promised({ set, expected_accuracy: accuracy }) {
  const classes = set === null ? "" : set === "" ? "No class fits well" : `Cannot be ruled out: ${set.split("|").join(", ")}`;
  const right = accuracy === null ? "" : `of answers like this one ${percent(accuracy)} were right`;
  return [classes, right].filter(Boolean).join("; ");
}
