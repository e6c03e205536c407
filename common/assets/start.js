// The schema is next to this page: /docs reads /openapi.json, /api/docs reads /api/openapi.json.
const root = document.getElementById("swagger-ui");

const LANDMARKS = [
  [".information-container", "region", "About"],
  [".scheme-container", "region", "Server and credentials"],
  [".modal-ux", "dialog", "Credentials"],
];

// What screen readers and keyboards need and Swagger UI leaves out: names of fields, heading levels, focusable code.
function complete() {
  const set = (selector, attribute, value) =>
    root.querySelectorAll(`${selector}:not([${attribute}])`).forEach((element) => element.setAttribute(attribute, value(element)));
  const parameter = (element) => element.closest("[data-param-name]")?.dataset.paramName;
  set(".info .title", "aria-level", () => 2); // below the h1 of the page, above the h3 of the groups
  set("select", "aria-label", (element) => parameter(element) ?? (element.id || "example"));
  set("input, textarea", "aria-label", (element) => parameter(element) ?? (element.placeholder || element.labels[0]?.textContent || "body"));
  set("table[role=region]", "aria-label", (element) => element.id);
  for (const [selector, role, name] of LANDMARKS) {
    set(selector, "role", () => role);
    set(selector, "aria-label", () => name);
  }
  set(".close-modal", "aria-label", () => "Close");
  set("pre", "tabindex", () => 0); // they scroll sideways
}

window.addEventListener("load", () => {
  new MutationObserver(complete).observe(root, { childList: true, subtree: true });
  SwaggerUIBundle({
    url: "openapi.json",
    domNode: root,
    deepLinking: false, // it puts a link into each button
    displayRequestDuration: true,
    syntaxHighlight: false, // its colours are for one background
    validatorUrl: null,
  });
});
