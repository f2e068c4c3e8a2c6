// Photos as the service and the browser can use them.

import { call } from "./call.js";

const LONGEST = 2048; // pixels, as PREVIEW in routes.py; the network sees far fewer
const LARGE = 2e6; // bytes

// Returns an upright photo that the browser can show, and that is quick to upload.
export async function prepared(file) {
  const picture = await createImageBitmap(file).catch(() => null); // applies the EXIF orientation
  if (!picture) return converted(file);
  const scale = Math.min(1, LONGEST / Math.max(picture.width, picture.height));
  if (scale === 1 && file.size <= LARGE) return file; // a file of the gallery is recognised
  return new File([await drawn(picture, [0, 0, picture.width, picture.height], scale)], file.name);
}

// Lets the service convert a photo, such as HEIC.
async function converted(file) {
  const form = new FormData();
  form.set("photo", file);
  const answer = await call("preview", { method: "POST", body: form });
  return new File([await answer.blob()], file.name, { type: "image/jpeg" });
}

// Returns a part [x, y, width, height] of a picture as a JPEG.
export async function drawn(picture, [x, y, width, height], scale) {
  const canvas = new OffscreenCanvas(Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale)));
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff"; // as the service shows transparency
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, x, y, width, height, 0, 0, canvas.width, canvas.height);
  return canvas.convertToBlob({ type: "image/jpeg", quality: 0.92 });
}

export function ofFile(file) {
  return { file, url: URL.createObjectURL(file) };
}

export function ofId(id) {
  return { file: null, id, url: `images/${encodeURIComponent(id)}` };
}

// Returns the address of a gallery photo that is at most so many pixels long.
export function thumbnail({ url }, size) {
  return `${url}?size=${size}`;
}
