// Lint of the viewer's JavaScript: what eslint recommends, and what keeps modules readable.

import js from "@eslint/js";
import globals from "globals";

const rules = {
  "eqeqeq": "error",
  "no-var": "error",
  "prefer-const": "error",
  "no-shadow": "error",
  "no-implicit-globals": "error",
  "no-unused-vars": ["error", { args: "after-used" }],
  "no-unused-expressions": "error",
  "no-use-before-define": ["error", { functions: false, classes: true, variables: false }],
  "no-eval": "error",
  "no-implied-eval": "error",
  "object-shorthand": "error",
  "max-lines": ["error", 300],
  "max-lines-per-function": ["error", { max: 40, skipBlankLines: true, skipComments: true }],
};

export default [
  { linterOptions: { reportUnusedDisableDirectives: "error" } },
  js.configs.recommended,
  { files: ["src/equiradio/serve/static/*.js"], languageOptions: { globals: globals.browser }, rules },
  { files: ["tests/js/*.js", "eslint.config.js"], languageOptions: { globals: globals.node }, rules },
];
