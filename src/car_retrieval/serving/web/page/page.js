// Searches of the page: each search is a step, and an entry in the browser history.

import { cropper } from "./crop.js";
import { call, show } from "./call.js";

const $ = (id) => document.getElementById(id);
const steps = []; // { photo: File | null, id, url, crop, proposed, options, response }
let current = -1;
let latest = 0; // number of the latest search; responses to earlier ones are ignored

const crop = cropper($("stage"), $("photo"), $("crop"), $("part"), (box) => {
  begin({ ...steps[current], crop: box, proposed: false, response: null, small: null, heat: null });
});

function begin(step) {
  steps.length = current + 1;
  steps.push(step);
  current += 1;
  history[current ? "pushState" : "replaceState"]({ step: current }, "");
  display(step);
  search(step);
}

addEventListener("popstate", (event) => {
  const step = steps[event.state?.step];
  if (!step) return;
  current = event.state.step;
  latest += 1;
  for (const [name, value] of step.options ?? []) $(name).value = value;
  display(step);
  if (step.response) list(step);
  else search(step);
});

function display(step) {
  $("drop").hidden = true;
  $("selection").hidden = false;
  $("back").disabled = current === 0;
  heatOff();
  if ($("photo").dataset.of !== step.url) {
    $("photo").dataset.of = step.url;
    delete $("photo").dataset.wanted;
    if (step.photo) $("photo").src = step.url;
    else show($("photo"), step.url);
  }
  mark(step);
}

function mark(step) {
  crop.set(step.crop === "auto" ? null : step.crop);
  $("hint").textContent = step.proposed
    ? "Searched with the marked part. Drag its corners, or drag over the photo to select another part."
    : "Drag over the photo to search with part of it.";
}

function fields(step) {
  const form = new FormData();
  if (step.photo) form.set("photo", step.photo);
  else form.set("id", step.id);
  if (step.crop) form.set("crop", String(step.crop)); // joins an array with commas
  return form;
}

async function search(step) {
  if (!$("how").checkValidity()) return $("how").reportValidity();
  const mine = (latest += 1);
  const form = fields(step);
  step.options = [...new FormData($("how"))];
  for (const [name, value] of step.options) if (value) form.set(name, value);
  $("found").ariaBusy = "true";
  const start = performance.now();
  try {
    const response = await (await call("search", { method: "POST", body: form })).json();
    if (mine !== latest) return;
    step.response = { ...response, seconds: (performance.now() - start) / 1000 };
    if (step.crop === "auto") {
      step.crop = response.crop;
      step.proposed = Boolean(response.crop);
      mark(step);
    }
    list(step);
  } catch (error) {
    if (mine !== latest) return;
    say(error.message, "", "wrong");
    $("cars").replaceChildren();
    if (error.status === 409) loadGallery();
  } finally {
    if (mine === latest) $("found").ariaBusy = "false";
  }
}

function say(text, more, kind) {
  $("says").textContent = text;
  $("more").textContent = more;
  $("found").className = kind;
}

function list(step) {
  $("found").ariaBusy = "false";
  const { matches, known, threshold, seconds } = step.response;
  const best = matches.length ? number(matches[0].similarity) : "";
  if (!matches.length) say("No gallery photo matches the filters.", "", "nothing");
  else if (known === false) {
    say(
      "No match: no car in the gallery is similar enough.",
      `The highest similarity is ${best}; a match needs at least ${number(threshold)}. Most similar photos:`,
      "nothing",
    );
  } else
    say(
      `The ${matches.length > 1 ? `${matches.length} ` : ""}most similar, found in ${seconds.toFixed(2)} s`,
      known ? `A similarity of at least ${number(threshold)} counts as a match.` : "",
      "",
    );
  $("cars").replaceChildren(...matches.map((car) => tile(step, car)));
}

function from(id) {
  begin({ photo: null, id, url: `images/${id}`, crop: null, response: null });
  $("says").focus({ preventScroll: true });
  scrollTo({ top: 0 });
}

function number(similarity) {
  return similarity.toFixed(3).replace(/^(-?)0\./, "$1.");
}

function tile(step, car) {
  const item = $("car").content.cloneNode(true).firstElementChild;
  const part = (name) => item.querySelector(`.${name}`);
  const { threshold } = step.response;
  const unnamed = car.class === null ? car.path.split("/").at(-1) : `Class ${car.class}`;
  const name = [car.make, car.model].filter(Boolean).join(" ") || unnamed;
  const title = car.model?.startsWith(car.make) ? car.model : name;
  part("name").textContent = title;
  part("year").textContent = car.year ?? "";
  part("number").textContent = number(car.similarity);
  part("bar").style.setProperty("--share", Math.max(0, Math.min(1, car.similarity)));
  item.classList.toggle("below", threshold !== null && car.similarity < threshold);
  show(part("photo"), `images/${car.id}?size=480`);
  part("from").addEventListener("click", () => from(car.id));
  part("why").lastElementChild.textContent = `is ${title} similar`;
  part("why").addEventListener("click", () => (heatItem === item && pinned ? heatOff() : heatOn(step, car, item, true)));
  for (const event of ["pointerenter", "focusin"])
    item.addEventListener(event, (e) => {
      if (e.pointerType !== "touch" && !(pinned && heatItem === item)) heatOn(step, car, item, false);
    });
  item.addEventListener("pointerleave", () => pinned || heatOff());
  item.addEventListener("focusout", (e) => item.contains(e.relatedTarget) || heatOff());
  return item;
}

// ---------------------------------------------------------------- heat maps
let heatItem = null;
let pinned = false;
let stop = new AbortController();

function heatOff() {
  stop.abort();
  if (heatItem) {
    heatItem.querySelector(".why").ariaPressed = "false";
    heatItem.querySelector(".heat").hidden = true;
  }
  $("photo-heat").hidden = true;
  heatItem = null;
  pinned = false;
}

async function heatOn(step, car, item, pin) {
  if (heatItem === item) {
    pinned = pin;
    item.querySelector(".why").ariaPressed = String(pin);
    return;
  }
  heatOff();
  heatItem = item;
  pinned = pin;
  item.querySelector(".why").ariaPressed = String(pin);
  const { signal } = (stop = new AbortController());
  try {
    await new Promise((resolve) => setTimeout(resolve, pin ? 0 : 250)); // ignore a pointer that only passes over
    if (signal.aborted) return;
    const small = step.photo ? await (step.small ??= shrunk(step)) : null;
    for (const [on, image] of [["match", item.querySelector(".heat")], ["query", $("photo-heat")]]) {
      const form = small ? new FormData() : fields(step);
      if (small) form.set("photo", small);
      form.set("match", car.id);
      form.set("on", on);
      const key = `${step.response.version} ${on} ${car.id}`;
      step.heat ??= new Map();
      if (!step.heat.has(key)) {
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

// Returns the searched part of the photo, scaled down because it is sent at each hover.
async function shrunk(step) {
  const picture = await createImageBitmap(step.photo).catch(() => null);
  if (!picture) return step.photo;
  const [x1, y1, x2, y2] = step.crop ?? [1, 1, picture.width, picture.height];
  const [width, height] = [x2 - x1 + 1, y2 - y1 + 1];
  const scale = Math.min(1, 640 / Math.max(width, height));
  const canvas = new OffscreenCanvas(Math.max(1, width * scale), Math.max(1, height * scale));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, x1 - 1, y1 - 1, width, height, 0, 0, canvas.width, canvas.height);
  return canvas.convertToBlob();
}

// ---------------------------------------------------------------- input of photos
function take(file) {
  if (!file) return;
  begin({ photo: file, url: URL.createObjectURL(file), crop: "auto", response: null });
}

$("file").addEventListener("change", () => {
  take($("file").files[0]);
  $("file").value = "";
});
$("another").addEventListener("click", () => $("file").click());
$("back").addEventListener("click", () => history.back());
addEventListener("paste", (event) => take([...event.clipboardData.files].find((f) => f.type.startsWith("image/"))));
addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
addEventListener("dragleave", (event) => event.relatedTarget || document.body.classList.remove("dropping"));
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  take(event.dataTransfer.files[0]);
});
$("how").addEventListener("submit", (event) => event.preventDefault());
$("how").addEventListener("change", () => {
  if (current >= 0) search(steps[current]);
});

// ---------------------------------------------------------------- gallery and filters
async function loadGallery() {
  const gallery = await (await call("gallery")).json();
  const summary = [`${gallery.photos.toLocaleString("en")} photos, run ${gallery.version}`, gallery.untrained];
  $("gallery").textContent = summary.filter(Boolean).join(" · ");
  const chosen = $("make").value;
  $("make").replaceChildren(new Option("any", ""), ...gallery.makes.map((make) => new Option(make)));
  $("make").value = gallery.makes.includes(chosen) ? chosen : "";
  $("method").replaceChildren(...gallery.methods.map((name) => new Option(name === "lopq" ? "LOPQ, compressed" : name, name)));
  $("k").max = gallery.largest_k;
  if (Number($("k").value) > gallery.largest_k) $("k").value = gallery.largest_k;
  $("years").hidden = !gallery.years;
  if (gallery.years)
    for (const [field, year] of [["year_from", gallery.years[0]], ["year_to", gallery.years[1]]]) {
      $(field).placeholder = year;
      [$(field).min, $(field).max] = gallery.years;
    }
  if (current < 0) $("cars").replaceChildren(...examples(gallery));
}

// Returns gallery photos to start from, for a visitor without a photo.
function examples({ examples }) {
  return examples.map((id, place) => {
    const item = $("start").content.cloneNode(true).firstElementChild;
    show(item.querySelector("img"), `images/${id}?size=480`);
    item.querySelector(".unseen").textContent = `Search with gallery photo ${place + 1}`;
    item.querySelector("button").addEventListener("click", () => from(id));
    return item;
  });
}

const narrow = matchMedia("(max-width: 52rem)"); // same as in page.css
const unfold = () => ($("filters").open = !narrow.matches);
narrow.addEventListener("change", unfold);
unfold();

loadGallery().catch((error) => say(error.message, "", "wrong"));
