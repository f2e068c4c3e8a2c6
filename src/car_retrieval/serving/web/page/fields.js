// Fields of the gallery with frequent values, fetched when they are first needed.

import { call } from "./call.js";

let fetched = null;

export function galleryFields() {
  fetched ??= call("gallery/fields").then((answer) => answer.json());
  fetched.catch(forgetFields);
  return fetched;
}

export function forgetFields() {
  fetched = null;
}

export function option(value) {
  return new Option(value, value);
}
