// Lint of the page's scripts (run from the repository's root). Beside the usual faults it holds
// the house rules: markup only in html.js, pure modules without a page, no inline anything.
import js from "@eslint/js";

const BROWSER = ["document", "window", "location", "history", "navigator", "localStorage",
  "performance", "matchMedia", "CSS", "Text", "Element", "HTMLElement", "MutationObserver", "ResizeObserver", "IntersectionObserver", "Notification", "isSecureContext", "caches",
  "XMLHttpRequest", "WebSocket", "EventSource", "CustomEvent", "Highlight", "NodeFilter", "sessionStorage",
  "Blob", "ClipboardItem", "XMLSerializer", "Option", "HTMLInputElement", "requestAnimationFrame"];
const EVERYWHERE = ["globalThis", "console", "setTimeout", "clearTimeout", "URL",
  "URLSearchParams", "AbortController", "Intl", "fetch", "File", "FormData"];
const PURE = ["protocol", "conversation_state", "reply_state", "socket", "http_transport", "transport",
  "stage_text", "texts", "outbox",
  "uploads", "announce", "page_range", "options", "price", "open_replies", "block_loader", "open_block", "reply_blocks", "questions", "grounding", "coordinates", "grounding_export"].map((name) => `**/chat/js/${name}.js`);
const readonly = (names) => Object.fromEntries(names.map((name) => [name, "readonly"]));

export default [
  { ignores: ["**/node_modules/**"] },
  js.configs.recommended,
  {
    files: ["**/*.js", "**/*.mjs"],
    languageOptions: { globals: readonly([...BROWSER, ...EVERYWHERE, "process"]) },
    rules: {
      complexity: ["error", 12], // `??` and `?.` count as branches here
      "consistent-return": "error",
      eqeqeq: "error",
      "no-console": "error",
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-new-func": "error",
      "no-param-reassign": "error",
      "no-shadow": "error",
      "no-unused-vars": ["error", { varsIgnorePattern: "^_$", argsIgnorePattern: "^_" }],
      "no-var": "error",
      "prefer-const": "error",
      "max-lines-per-function": ["error", 60],
      "no-restricted-syntax": ["error",
        { selector: "MemberExpression[property.name=/^(innerHTML|outerHTML|insertAdjacentHTML|srcdoc)$/]",
          message: "Only html.js turns strings into markup." },
        { selector: "MemberExpression[object.name='document'][property.name=/^write/]",
          message: "Only html.js turns strings into markup." },
        { selector: "CallExpression[callee.property.name='randomUUID']",
          message: "randomUUID is absent on plain http: use makeId." },
        { selector: "ImportDeclaration[source.value!=/^(\\.\\u002F|\\.\\.\\u002F|node:|@eslint)/]",
          message: "Imports are relative." }],
    },
  },
  {
    files: ["**/chat/js/html.js"],
    rules: { "no-restricted-syntax": "off" },
  },
  { files: PURE, rules: { "no-restricted-globals": ["error", ...BROWSER] } },
  { files: ["**/service_worker.js"], languageOptions: { sourceType: "script", globals: readonly(["self", "Response", "Request"]) } },
  { files: ["**/*_boot.js"], languageOptions: { sourceType: "script" } },
  { files: ["**/tests/js/**"], rules: { "max-lines-per-function": "off", complexity: "off" } },
];
