// The dialog that shows a match large, with all that is known about it.

import { addressOf } from "./address.js";
import { show } from "./call.js";
import { ofId, thumbnail } from "./photos.js";

const $ = (id) => document.getElementById(id);
const LABELS = { path: "File", class: "Class", make: "Make", model: "Model", year: "Year", id: "Id" };
const HIDDEN = ["similarity", "image", "status"];

let opened = null; // the car

export function number(similarity) {
  return similarity.toFixed(3).replace(/^(-?)0\./, "$1.");
}

// Returns the name of a car or a class: make and model, or the class, or the file.
export function nameOf({ make, model, class: class_, path }) {
  if (model?.startsWith(make)) return model;
  const unnamed = class_ === null ? path.split("/").at(-1) : `Class ${class_}`;
  return [make, model].filter(Boolean).join(" ") || unnamed;
}

export function openedCar() {
  return opened;
}

export function openLarge(car) {
  opened = car;
  $("large-says").textContent = "";
  $("large-name").textContent = nameOf(car);
  $("large-photo").alt = nameOf(car);
  show($("large-photo"), thumbnail(ofId(car.id), 1600));
  $("facts").replaceChildren(...facts(car));
  if (!$("large").open) $("large").showModal();
}

function facts(car) {
  const { fields, ...own } = car; // a photo's further fields, if the gallery has some
  const known = Object.entries({ ...own, ...fields }).filter(
    ([name, value]) => !HIDDEN.includes(name) && value !== null && typeof value !== "object",
  );
  return [["Similarity", number(car.similarity)], ...known].flatMap(([name, value]) => {
    const [term, description] = [document.createElement("dt"), document.createElement("dd")];
    term.textContent = LABELS[name] ?? name;
    description.textContent = value;
    return [term, description];
  });
}

// Calls `act` with the name of a pressed button and the photo that is shown.
export function onAction(act) {
  for (const button of $("large").querySelectorAll("button[value]"))
    button.addEventListener("click", () => {
      $("large").close();
      act(button.value, ofId(opened.id));
    });
}

$("large").addEventListener("click", (event) => event.target === $("large") && $("large").close());
$("large-close").addEventListener("click", () => $("large").close());
$("large").addEventListener("close", () => ($("copy").textContent = "Copy link"));
$("copy").addEventListener("click", async () => {
  const link = new URL(addressOf(opened.id), location.href).href;
  try {
    await navigator.clipboard.writeText(link);
    $("copy").textContent = "Copied";
  } catch {
    prompt("Copy this link:", link); // without HTTPS, there is no clipboard
  }
});
