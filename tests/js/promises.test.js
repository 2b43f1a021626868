import assert from "node:assert/strict";
import { test } from "node:test";

import { promised } from "../../src/equiradio/serve/static/promises.js";

test("what the card promises is said in words, and nothing where it promises nothing", () => {
  assert.equal(
    promised({ set: "FRI|FRII", expected_accuracy: 0.949 }),
    "Cannot be ruled out: FRI, FRII; of answers like this one 95 % were right",
  );
  assert.equal(promised({ set: "FRI", expected_accuracy: null }), "Cannot be ruled out: FRI");
  assert.equal(promised({ set: "", expected_accuracy: null }), "No class fits well");
  assert.equal(promised({ set: null, expected_accuracy: 0.5 }), "of answers like this one 50 % were right");
  assert.equal(promised({ set: null, expected_accuracy: null }), "");
});
