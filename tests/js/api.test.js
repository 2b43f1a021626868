// Addresses: relative, so that a proxy may show the viewer below any path.

import assert from "node:assert/strict";
import { test } from "node:test";

import { endpoint, get, post } from "../../src/equiradio/serve/static/api.js";

const PLACES = ["http://127.0.0.1:8765/", "https://hub.example.org/user/ada/proxy/8765/"];

test("an endpoint lies below the page, wherever that is", () => {
  for (const place of PLACES) {
    assert.equal(new URL(endpoint("map.fits", "source=a"), place).href, `${place}api/map.fits?source=a`);
    assert.equal(new URL(endpoint("openapi.json"), `${place}api`).href, `${place}api/openapi.json`);
  }
});

test("what is asked and sent goes there", async () => {
  const asked = [];
  globalThis.fetch = async (address) => {
    asked.push(address);
    return { ok: true, json: async () => ({}) };
  };
  await get("sources", { set: "sky", text: "" });
  await get("health");
  await post("samp", { kind: "table" });
  assert.deepEqual(asked, ["api/sources?set=sky", "api/health", "api/samp"]);
});
