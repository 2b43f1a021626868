// Numbers in the table view have commas, as the commands print them; names that are numbers have none.

import assert from "node:assert/strict";
import { test } from "node:test";

import { short, typed, written } from "../../src/equiradio/serve/static/values.js";

const cell = (value, name = "count", kind = "number") => written(value, { name, kind });

test("numbers of four digits and more have commas", () => {
  assert.deepEqual([999, 1234, -1234567, 1234.5, 0.25].map((value) => cell(value)), ["999", "1,234", "-1,234,567", "1,234.5000", "0.2500"]);
  assert.deepEqual([123456.7, 1e20].map((value) => cell(value)), ["1.23e+5", "100000000000000000000"]);
});

test("names, positions, text and nothing are written as they are", () => {
  assert.deepEqual([cell(123456, "source_id"), cell(123456, "ID"), cell("1234", "name", "text"), cell("9007199254740993")], ["123456", "123456", "1234", "9007199254740993"]);
  assert.deepEqual([cell(180.123456, "ra_deg"), cell(null), cell(true, "uncertain", "yes-no")], ["180.12346", "–", "true"]);
});

test("edges of bars have commas, too", () => {
  assert.deepEqual([0, 0.123456, 1500, 12345.6, 2e6].map(short), ["0", "0.123", "1,500", "12,300", "2,000,000"]);
});

test("a number may be typed as it is shown", () => {
  assert.deepEqual(["1,234", "-1,234,567.5", "12,34", "0.9"].map(typed), ["1234", "-1234567.5", "12,34", "0.9"]);
});
