// Controls for what is known about a photo: class, make, model, year and further fields.

import { galleryFields, option } from "./fields.js";

const NAMES = ["class", "make", "model", "year"];

export function labelControls(place) {
  let known = { fields: {} };
  const control = (name) => place.querySelector(`[name="${name}"]`);
  place.append(document.getElementById("labels").content.cloneNode(true));
  place.querySelector(".add-field").addEventListener("click", () => {
    addField("", "");
    place.querySelector(".own").lastElementChild.querySelector("input").focus();
  });
  control("class").addEventListener("change", () => {
    if (known.id) control("make").value = control("model").value = ""; // those of the other class
  });

  function addField(name, value) {
    const row = document.getElementById("own-field").content.cloneNode(true).firstElementChild;
    const inputs = row.querySelectorAll("input");
    [inputs[0].value, inputs[1].value] = [name, value];
    row.querySelector("button").addEventListener("click", () => {
      row.remove();
      place.querySelector(".add-field").focus();
    });
    place.querySelector(".own").append(row);
  }

  return {
    set(photo) {
      known = photo;
      for (const name of NAMES) control(name).value = photo[name] ?? "";
      place.querySelector(".own").replaceChildren();
      for (const [name, value] of Object.entries(photo.fields)) addField(name, value);
      offer();
    },
    into(form) {
      for (const name of NAMES) form.set(name, control(name).value.trim());
      const fields = [...place.querySelectorAll(".own li")]
        .map((row) => [...row.querySelectorAll("input")].map((input) => input.value.trim()))
        .filter(([name, value]) => name && value)
        .map(([name, value]) => [name, String(known.fields[name]) === value ? known.fields[name] : value]);
      form.set("fields", JSON.stringify(Object.fromEntries(fields)));
    },
  };
}

// Offers the values of the gallery in the lists that all controls share.
function offer() {
  galleryFields().then((fields) => {
    for (const { name, values } of fields)
      document.getElementById(`known-${name}`)?.replaceChildren(...values.map(option));
    const own = fields.map((field) => field.name).filter((name) => ![...NAMES, "path", "id"].includes(name));
    document.getElementById("known-fields").replaceChildren(...own.map(option));
  }, () => {}); // the controls work without
}
