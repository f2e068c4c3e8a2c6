// Heat maps over a match and the query: where both are alike.

import { call } from "./call.js";
import { drawn } from "./photos.js";

const shownOnQuery = document.getElementById("photo-heat");
let current = null;
let pinned = false;
let stop = new AbortController();

export function heatOff() {
  stop.abort();
  if (current) {
    current.querySelector(".why").ariaPressed = "false";
    current.querySelector(".heat").hidden = true;
  }
  shownOnQuery.hidden = true;
  current = null;
  pinned = false;
}

// Shows the heat map while the pointer or the focus is on a match, or after "Why" until it is pressed again.
export function heatOn(item, step, car, fields) {
  const on = (pin) => start(item, step, car, fields, pin);
  item.querySelector(".why").addEventListener("click", () => (current === item && pinned ? heatOff() : on(true)));
  for (const event of ["pointerenter", "focusin"])
    item.addEventListener(event, (e) => {
      if (e.pointerType !== "touch" && !(pinned && current === item)) on(false);
    });
  item.addEventListener("pointerleave", () => pinned || heatOff());
  item.addEventListener("focusout", (e) => item.contains(e.relatedTarget) || heatOff());
}

async function start(item, step, car, fields, pin) {
  if (current === item) {
    pinned = pin;
    item.querySelector(".why").ariaPressed = String(pin);
    return;
  }
  heatOff();
  current = item;
  pinned = pin;
  item.querySelector(".why").ariaPressed = String(pin);
  const { signal } = (stop = new AbortController());
  try {
    await new Promise((resolve) => setTimeout(resolve, pin ? 0 : 250)); // ignore a pointer that only passes over
    if (signal.aborted) return;
    for (const [on, image] of [["match", item.querySelector(".heat")], ["query", shownOnQuery]]) {
      const key = `${step.response.version} ${on} ${car.id}`;
      step.heat ??= new Map();
      if (!step.heat.has(key)) {
        const form = await asked(step, on, fields);
        form.set("match", car.id);
        form.set("on", on);
        const blob = await (await call("heat", { method: "POST", body: form, signal })).blob();
        step.heat.set(key, URL.createObjectURL(blob));
      }
      if (signal.aborted) return;
      image.src = step.heat.get(key);
      image.hidden = false;
    }
  } catch (error) {
    if (!signal.aborted) heatOff(); // without a heat map, the match is still shown
  }
}

// Returns the form of a query; a single photo is scaled down, because it is sent at each hover.
async function asked(step, on, fields) {
  const [{ file }] = step.photos;
  const several = step.photos.length + step.unlike.length > 1;
  if (several && on === "match") return fields(step);
  if (!file) return fields({ ...step, photos: step.photos.slice(0, 1), unlike: [] });
  const form = new FormData();
  form.set("photo", await (step.small ??= searchedPart(step)));
  return form;
}

async function searchedPart({ photos: [{ file }], crop }) {
  const picture = await createImageBitmap(file);
  const [x1, y1, x2, y2] = Array.isArray(crop) ? crop : [1, 1, picture.width, picture.height];
  const [width, height] = [x2 - x1 + 1, y2 - y1 + 1];
  return drawn(picture, [x1 - 1, y1 - 1, width, height], Math.min(1, 640 / Math.max(width, height)));
}
