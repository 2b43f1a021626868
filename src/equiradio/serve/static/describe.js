// The REST interface, from its OpenAPI description.

import { element, endpoint } from "./api.js";

const typeOf = (schema, all) => {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.anyOf) return schema.anyOf.map((one) => typeOf(one, all)).filter((word) => word !== "null").join(" or ");
  if (schema.type === "array") return `list of ${typeOf(schema.items, all)}`;
  return schema.contentMediaType || schema.format === "binary" ? "file" : schema.type || "";
};

function fieldsOf(operation, schemas) {
  const asked = (operation.parameters || []).map(({ name, schema, required, description }) => [name, "query", typeOf(schema), required, description || schema.description]);
  for (const [kind, { schema }] of Object.entries(operation.requestBody?.content || {})) {
    const whole = schema.$ref ? schemas[schema.$ref.split("/").pop()] : schema;
    for (const [name, field] of Object.entries(whole.properties || {})) asked.push([name, kind.includes("form") ? "form" : kind, typeOf(field), (whole.required || []).includes(name), field.description]);
  }
  return asked;
}

const description = await (await fetch(endpoint("openapi.json"))).json();
const schemas = description.components?.schemas || {};
const parts = Object.entries(description.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => {
  const rows = fieldsOf(operation, schemas).map(([name, place, type, required, words]) => element("tr", {}, element("td", {}, element("code", {}, name)), element("td", {}, place), element("td", {}, type), element("td", {}, `${required ? "required. " : ""}${words || ""}`)));
  const table = element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Parameters of ${path}` }, element("table", { class: "data" }, element("thead", {}, element("tr", {}, ...["name", "in", "type", "meaning"].map((word) => element("th", { scope: "col" }, word)))), element("tbody", {}, ...rows)));
  return element("section", {}, element("h2", {}, element("code", {}, `${method.toUpperCase()} ${path}`)), element("p", {}, operation.description || operation.summary || ""), rows.length ? table : "");
}));
document.getElementById("endpoints").replaceChildren(...parts);
for (const place of document.querySelectorAll(".here")) place.textContent = new URL(".", location.href).href;
