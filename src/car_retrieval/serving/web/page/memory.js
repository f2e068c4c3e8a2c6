// Steps of the page in the session storage, so that reloading keeps them.

import { ofFile, ofId } from "./photos.js";

const KEY = "steps";

export async function remember(steps, current) {
  const files = new Map();
  for (const { photos, unlike } of steps)
    for (const { file } of [...photos, ...unlike]) if (file && !files.has(file)) files.set(file, null);
  await Promise.all([...files.keys()].map(async (file) => files.set(file, await encoded(file))));
  const names = [...files.keys()];
  const noted = (one) => (one.file ? { file: names.indexOf(one.file) } : { id: one.id });
  const plain = steps.map(({ photos, unlike, crop, proposed, options }) => ({
    photos: photos.map(noted), unlike: unlike.map(noted), crop, proposed, options,
  }));
  try {
    sessionStorage.setItem(KEY, JSON.stringify({ steps: plain, current, files: names.map((file) => files.get(file)) }));
  } catch {
    sessionStorage.removeItem(KEY); // more photos than it can hold
    if (steps.length > 1) await remember([steps[current]], 0);
  }
}

// Returns the steps and the current one, or null.
export function remembered(place) {
  const noted = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
  if (!noted) return null;
  const photos = noted.files.map((file) => ofFile(decoded(file)));
  const known = (one) => (one.file === undefined ? ofId(one.id) : photos[one.file]);
  const steps = noted.steps.map((step) => ({
    ...step, photos: step.photos.map(known), unlike: step.unlike.map(known), response: null,
  }));
  return { steps, current: steps[place] ? place : noted.current };
}

const encodings = new WeakMap(); // by file

function encoded(file) {
  if (!encodings.has(file))
    encodings.set(file, new Promise((resolve, reject) => {
      const reader = new FileReader();
      reader.addEventListener("load", () => resolve({ name: file.name, type: file.type, text: reader.result.split(",")[1] }));
      reader.addEventListener("error", () => reject(reader.error));
      reader.readAsDataURL(file);
    }));
  return encodings.get(file);
}

function decoded({ name, type, text }) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new File([bytes], name, { type });
}
