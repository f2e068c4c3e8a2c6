// Searches of the page: each search is a step, and an entry in the browser history.

import "./adding.js";
import { addressOf } from "./address.js";
import { call, show } from "./call.js";
import "./changing.js";
import { setConditions } from "./conditions.js";
import { cropper } from "./crop.js";
import { forgetFields } from "./fields.js";
import { heatOff, heatOn } from "./heat.js";
import { nameOf, number, onAction, openLarge } from "./large.js";
import { remember, remembered } from "./memory.js";
import { ofFile, ofId, prepared, thumbnail } from "./photos.js";

const $ = (id) => document.getElementById(id);
const narrow = matchMedia("(max-width: 52rem)"); // same as in page.css
let steps = []; // { photos, unlike, crop, proposed, options, response }; a photo: { file, url } or { id, url }
let current = -1;
let latest = 0; // number of the latest search; responses to earlier ones are ignored

const crop = cropper($("stage"), $("photo"), $("crop"), $("part"), (box) => {
  begin({ ...steps[current], crop: box });
});

function begin({ photos, unlike = [], crop }) {
  const step = { photos, unlike, crop, proposed: false, response: null };
  steps.length = current + 1;
  steps.push(step);
  current += 1;
  history[current ? "pushState" : "replaceState"]({ step: current }, "");
  display(step);
  search(step);
}

// Shows the address from which a search with one photo of the gallery can be repeated.
function showAddress({ photos: [{ file, id }, ...others], unlike }) {
  const alone = !file && !others.length && !unlike.length;
  history.replaceState(history.state, "", location.pathname + (alone ? addressOf(id) : ""));
}

addEventListener("popstate", (event) => {
  const step = steps[event.state?.step];
  if (!step) return;
  current = event.state.step;
  latest += 1;
  apply(step);
});

function apply(step) {
  if (step.options) setOptions(step.options);
  display(step);
  if (step.response) list(step);
  else search(step);
}

function setOptions(options) {
  for (const [name, value] of options) {
    const control = $("how").elements.namedItem(name);
    if (control) control.value = value;
  }
  setConditions(options.filter(([name]) => name === "where").map(([, text]) => text));
}

function display(step) {
  const [first] = step.photos;
  $("drop").hidden = true;
  $("selection").hidden = false;
  $("back").disabled = current === 0;
  heatOff();
  if ($("photo").dataset.of !== first.url) {
    $("photo").dataset.of = first.url;
    delete $("photo").dataset.wanted;
    if (first.file) $("photo").src = first.url;
    else show($("photo"), first.url);
  }
  for (const [kind, from] of [["photos", 1], ["unlike", 0]]) {
    $(kind).hidden = step[kind].length <= from;
    $(kind).querySelector("ul").replaceChildren(...step[kind].slice(from).map((one) => thumb(step, kind, one)));
  }
  mark(step);
}

function thumb(step, kind, one) {
  const item = $("thumb").content.cloneNode(true).firstElementChild;
  if (one.file) item.querySelector("img").src = one.url;
  else show(item.querySelector("img"), thumbnail(one, 160));
  item.querySelector("button").addEventListener("click", () =>
    begin({ ...step, [kind]: step[kind].filter((other) => other !== one), crop: step.crop && "auto" }),
  );
  return item;
}

function mark(step) {
  const several = step.photos.length + step.unlike.length > 1;
  crop.set(step.crop === "auto" ? null : step.crop);
  $("stage").classList.toggle("fixed", several);
  $("part").hidden = several;
  $("hint").hidden = several;
  $("hint").textContent = step.proposed
    ? "Searched with the marked part. Drag its corners, or drag over the photo to select another part."
    : "Drag over the photo to search with part of it.";
}

function fields({ photos, unlike, crop }) {
  const form = new FormData();
  for (const [list, file, id] of [[photos, "photo", "id"], [unlike, "unlike", "unlike_id"]])
    for (const one of list) {
      if (one.file) form.append(file, one.file);
      else form.append(id, one.id);
    }
  if (crop) form.set("crop", photos.length + unlike.length > 1 ? "auto" : String(crop)); // joins an array with commas
  return form;
}

async function search(step) {
  if (!$("how").checkValidity()) return $("how").reportValidity();
  const mine = (latest += 1);
  const form = fields(step);
  step.options = [...new FormData($("how"))];
  for (const [name, value] of step.options) if (value) form.append(name, value);
  showAddress(step);
  $("found").ariaBusy = "true";
  const start = performance.now();
  try {
    const response = await (await call("search", { method: "POST", body: form })).json();
    if (mine !== latest) return;
    step.response = { ...response, seconds: (performance.now() - start) / 1000 };
    if (response.version !== $("gallery").dataset.version) loadGallery();
    if (step.crop === "auto") {
      step.crop = response.crop;
      step.proposed = Boolean(response.crop);
      mark(step);
    }
    list(step);
  } catch (error) {
    if (mine !== latest) return;
    fail(error);
  } finally {
    if (mine === latest) $("found").ariaBusy = "false";
  }
  remember(steps, current);
}

function fail(error) {
  say(error.message, "", "wrong");
  $("groups").replaceChildren();
  $("cars").replaceChildren();
}

function say(text, more, kind) {
  $("says").textContent = text;
  $("more").textContent = more;
  $("found").className = kind;
}

// ---------------------------------------------------------------- matches
function list(step) {
  $("found").ariaBusy = "false";
  const { matches, groups, known, threshold, seconds } = step.response;
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
  const shown = narrow.matches ? 2 : 4;
  const rest = groups.length - shown;
  $("groups").replaceChildren(
    ...groups.slice(0, shown).map((group) => vote(group, matches.length)),
  );
  if (rest > 0) {
    const item = document.createElement("li");
    item.textContent = rest === 1 ? "one more class" : `${rest} more classes`;
    $("groups").append(item);
  }
  $("cars").replaceChildren(...matches.map((car) => tile(step, car)));
}

function vote(group, count) {
  const item = $("vote").content.cloneNode(true).firstElementChild;
  const [first, last] = group.years ?? [];
  item.querySelector(".name").textContent = nameOf(group);
  item.querySelector(".year").textContent = first === last ? (first ?? "") : `${first}–${last}`;
  item.querySelector(".votes").textContent = `${group.matches} of ${count}`;
  item.querySelector(".number").textContent = number(group.similarity);
  return item;
}

function tile(step, car) {
  const item = $("car").content.cloneNode(true).firstElementChild;
  const part = (name) => item.querySelector(`.${name}`);
  const { threshold } = step.response;
  part("name").textContent = nameOf(car);
  part("year").textContent = car.year ?? "";
  part("number").textContent = number(car.similarity);
  part("bar").style.setProperty("--share", Math.max(0, Math.min(1, car.similarity)));
  item.classList.toggle("below", threshold !== null && car.similarity < threshold);
  show(part("photo"), thumbnail(ofId(car.id), 480));
  part("open").addEventListener("click", () => openLarge(car));
  part("why").lastElementChild.textContent = `is ${nameOf(car)} similar`;
  heatOn(item, step, car, fields);
  return item;
}

onAction((action, photo) => {
  const step = steps[current];
  if (action === "from") from(photo);
  else begin({ ...step, [action]: [...step[action], photo], crop: step.crop && "auto" });
});

function from(photo) {
  begin({ photos: [photo], crop: null });
  $("says").focus({ preventScroll: true });
  scrollTo({ top: 0 });
}

// ---------------------------------------------------------------- input of photos
// Searches with files: alone, or beside the current photos, or away from them.
async function take(files, kind = null) {
  if (!files.length) return;
  const mine = (latest += 1);
  $("found").ariaBusy = "true";
  try {
    const taken = (await Promise.all([...files].map(prepared))).map(ofFile);
    if (mine !== latest) return;
    const step = steps[current];
    begin(kind ? { ...step, [kind]: [...step[kind], ...taken], crop: "auto" } : { photos: taken, crop: "auto" });
  } catch (error) {
    if (mine === latest) fail(error);
  } finally {
    if (mine === latest) $("found").ariaBusy = "false";
  }
}

for (const [input, kind] of [["file", null], ["add", "photos"], ["avoid", "unlike"]]) {
  $(input).addEventListener("change", () => {
    take([...$(input).files], kind);
    $(input).value = "";
  });
  for (const button of document.querySelectorAll(`[data-chooses="${input}"]`))
    button.addEventListener("click", () => $(input).click());
}
$("back").addEventListener("click", () => history.back());
addEventListener("paste", (event) => take([...event.clipboardData.files].filter((f) => f.type.startsWith("image/"))));
addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
addEventListener("dragleave", (event) => event.relatedTarget || document.body.classList.remove("dropping"));
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  take([...event.dataTransfer.files]);
});
$("how").addEventListener("submit", (event) => event.preventDefault());
$("how").addEventListener("change", () => {
  if (current >= 0) search(steps[current]);
});
document.addEventListener("gallerychange", () => {
  loadGallery();
  steps = steps.map((step) => ({ ...step, response: null, heat: null }));
  if (current >= 0) search(steps[current]);
});

// ---------------------------------------------------------------- gallery and filters
async function loadGallery() {
  const gallery = await (await call("gallery")).json();
  const summary = [`${gallery.photos.toLocaleString("en")} photos, run ${gallery.version}`, gallery.untrained];
  $("gallery").dataset.version = gallery.version;
  $("gallery").textContent = summary.filter(Boolean).join(" · ");
  for (const part of document.querySelectorAll("[data-writes]")) part.hidden = !gallery.writable;
  forgetFields();
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
  return gallery;
}

// Begins with the search that was reloaded, or that the address names, or with photos to choose from.
async function start() {
  const gallery = await loadGallery();
  if (current >= 0) return; // a photo was chosen meanwhile
  const before = history.state && remembered(history.state.step);
  const asked = new URLSearchParams(location.search);
  if (before) {
    ({ steps, current } = before);
    apply(steps[current]);
  } else if (asked.has("id")) {
    setOptions([...asked]);
    from(ofId(asked.get("id")));
  }
  else $("cars").replaceChildren(...gallery.examples.map(example));
}

// Returns a gallery photo to start from, for a visitor without a photo.
function example(id, place) {
  const item = $("start").content.cloneNode(true).firstElementChild;
  const photo = ofId(id);
  show(item.querySelector("img"), thumbnail(photo, 480));
  item.querySelector(".unseen").textContent = `Search with gallery photo ${place + 1}`;
  item.querySelector("button").addEventListener("click", () => from(photo));
  return item;
}

const unfold = () => ($("filters").open = !narrow.matches);
narrow.addEventListener("change", unfold);
unfold();

start().catch((error) => say(error.message, "", "wrong"));
