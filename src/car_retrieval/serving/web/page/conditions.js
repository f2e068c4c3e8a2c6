// Rows of conditions on the gallery photos: field, comparison, value.

import { galleryFields, option } from "./fields.js";

const rows = document.getElementById("conditions");
const form = document.getElementById("how");
const CONDITION = /^\s*([^=!]+?)\s*(!?=)\s*(.*?)\s*$/s; // same as in gallery/conditions.py
const RANGE = /^\s*(-?[\d.]*?)\s*\.\.\s*(-?[\d.]*)\s*$/;
let count = 0;
let searched = "";

export function setConditions(texts) {
  rows.replaceChildren(...texts.map(rowOf));
  searched = String(conditions());
}

function conditions() {
  return [...rows.children].map(textOf).filter(Boolean);
}

// Returns a row as `kedro search --where` takes it; "" as long as it has no value.
function textOf(row) {
  const [field, compared, value, low, high] = partsOf(row).map((part) => part.value.trim());
  const ranged = compared.endsWith("..");
  const wanted = ranged ? (low || high) && `${low}..${high}` : value;
  return wanted && `${field}${compared.replace("..", "")}${wanted}`;
}

function partsOf(row) {
  return ["field", "compared", "value", "low", "high"].map((name) => row.querySelector(`.${name}`));
}

function rowOf(text) {
  const row = document.getElementById("condition").content.cloneNode(true).firstElementChild;
  const [field, compared, value, low, high] = partsOf(row);
  const [, name = "", equals = "=", wanted = ""] = CONDITION.exec(text) ?? [];
  const range = RANGE.exec(wanted);
  if (name) field.append(option(name));
  compared.value = equals + (range ? ".." : "");
  if (range) [low.value, high.value] = range.slice(1);
  else value.value = wanted;
  const offered = row.querySelector("datalist");
  offered.id = `values-${(count += 1)}`;
  value.setAttribute("list", offered.id);

  let fields = [];
  function adapt() {
    const ranged = compared.value.endsWith("..");
    value.hidden = ranged;
    row.querySelector(".range").hidden = !ranged;
    const { values = [], limits } = fields.find((one) => one.name === field.value) ?? {};
    [low.placeholder, high.placeholder] = limits ?? ["", ""];
    const before = value.value.slice(0, value.value.lastIndexOf(",") + 1); // the list completes the last value
    offered.replaceChildren(...values.map((one) => option(before + one)));
  }
  adapt();
  galleryFields().then((known) => {
    fields = known;
    const chosen = field.value.toLowerCase();
    const same = fields.find((one) => one.name.toLowerCase() === chosen);
    const unknown = chosen && !same ? [field.value] : []; // of a link; the service says so
    field.replaceChildren(...[...unknown, ...fields.map((one) => one.name)].map(option));
    if (same) field.value = same.name;
    adapt();
  }, () => {}); // the next search reports that the service cannot be reached
  field.addEventListener("change", () => {
    value.value = low.value = high.value = "";
    adapt();
  });
  compared.addEventListener("change", adapt);
  value.addEventListener("input", adapt);
  row.querySelector(".remove").addEventListener("click", () => {
    const next = row.nextElementSibling ?? row.previousElementSibling;
    row.remove();
    (next?.querySelector(".remove") ?? document.getElementById("add-condition")).focus();
    rows.dispatchEvent(new Event("change", { bubbles: true }));
  });
  return row;
}

document.getElementById("add-condition").addEventListener("click", () => {
  rows.append(rowOf(""));
  rows.lastElementChild.querySelector(".field").focus();
});
rows.addEventListener("change", (event) => {
  const now = String(conditions());
  if (now === searched) event.stopPropagation(); // a row without a value does not repeat the search
  searched = now;
});
form.addEventListener("formdata", ({ formData }) => {
  for (const text of conditions()) formData.append("where", text);
});
