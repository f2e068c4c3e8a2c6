// Corrects and removes the photo that is shown large.

import { call } from "./call.js";
import { labelControls } from "./labels.js";
import { nameOf, openedCar, openLarge } from "./large.js";

const $ = (id) => document.getElementById(id);
const form = $("correction");
const says = form.querySelector(".says");
const file = form.querySelector("[type=file]");
const labels = labelControls(form.querySelector(".labels"));
const address = () => `gallery/${encodeURIComponent(openedCar().id)}`;

function correcting(on) {
  form.hidden = !on;
  for (const part of $("about").querySelectorAll("#facts, .buttons:not(form *)")) part.classList.toggle("away", on);
  says.textContent = file.value = "";
}

$("correct").addEventListener("click", () => {
  labels.set(openedCar());
  correcting(true);
  form.querySelector("input").focus();
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const sent = new FormData();
  labels.into(sent);
  if (file.files.length) sent.set("photo", file.files[0]);
  form.ariaBusy = "true";
  try {
    const answer = await (await call(address(), { method: "PUT", body: sent })).json();
    openLarge({ ...openedCar(), ...answer });
    done();
    document.dispatchEvent(new Event("gallerychange"));
  } catch (error) {
    says.textContent = error.message;
  } finally {
    form.ariaBusy = "false";
  }
});

function done() {
  correcting(false);
  $("correct").focus();
}
form.querySelector(".cancel").addEventListener("click", done);
$("large").addEventListener("close", () => correcting(false));

$("remove").addEventListener("click", () => {
  $("removal-says").textContent = `Remove ${nameOf(openedCar())} from the gallery?`;
  $("removal-file").textContent = openedCar().path;
  $("removal").returnValue = "";
  $("removal").showModal();
});
$("removal").addEventListener("close", async () => {
  if ($("removal").returnValue !== "remove") return;
  try {
    await call(address(), { method: "DELETE" });
    $("large").close();
    document.dispatchEvent(new Event("gallerychange"));
  } catch (error) {
    $("large-says").textContent = error.message;
  }
});
