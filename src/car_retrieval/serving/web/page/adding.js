// The dialog that adds photos to the gallery.

import { call } from "./call.js";
import { labelControls } from "./labels.js";

const dialog = document.getElementById("adding");
const part = (name) => dialog.querySelector(`.${name}`);
const labels = labelControls(part("labels"));
const files = dialog.querySelector("[type=file]");
let running = false;

document.getElementById("open-adding").addEventListener("click", () => {
  labels.set({ fields: {} });
  part("outcomes").replaceChildren();
  part("says").textContent = "";
  dialog.showModal();
});
part("close").addEventListener("click", () => dialog.close());
dialog.addEventListener("close", () => (running = false));
dialog.querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (running) running = false;
  else add([...files.files]);
});
for (const [event, source] of [["drop", "dataTransfer"], ["paste", "clipboardData"]])
  dialog.addEventListener(event, (dropped) => {
    dropped.stopPropagation(); // the page would search with them
    const given = dropped[source].files;
    if (!given.length || running) return;
    dropped.preventDefault();
    files.files = given;
  });

async function add(photos) {
  const form = new FormData();
  labels.into(form);
  const counts = new Map();
  begin(photos.length);
  for (const [done, photo] of photos.entries()) {
    part("says").textContent = `${done + 1} of ${photos.length}`;
    form.set("photo", photo);
    const outcome = await added(form);
    note(photo.name, outcome);
    counts.set(outcome.status, (counts.get(outcome.status) ?? 0) + 1);
    part("progress").value = done + 1;
    if (!running) break;
  }
  const left = photos.length - part("progress").value;
  if (left) counts.set("not sent", left);
  part("says").textContent = [...counts].map(([status, count]) => `${count} ${status}`).join(", ");
  end();
  document.dispatchEvent(new Event("gallerychange"));
}

function begin(count) {
  running = true;
  part("outcomes").replaceChildren();
  part("progress").max = count;
  part("progress").value = 0;
  part("progress").hidden = false;
  part("send").textContent = "Stop";
}

function end() {
  running = false;
  part("progress").hidden = true;
  part("send").textContent = "Add";
  files.value = "";
}

async function added(form) {
  try {
    const { status } = await (await call("gallery", { method: "POST", body: form })).json();
    return { status, reason: "" };
  } catch (error) {
    return { status: "refused", reason: error.message.replace(/^photo: /, "") };
  }
}

function note(name, { status, reason }) {
  const item = document.createElement("li");
  const [file, outcome] = [document.createElement("span"), document.createElement("span")];
  file.textContent = name;
  outcome.textContent = reason ? `${status}: ${reason}` : status;
  item.className = status;
  item.append(file, outcome);
  part("outcomes").append(item);
}
