// Requests to the service, with the API key if it requires one.

let key = sessionStorage.getItem("key");

export async function call(path, options = {}) {
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("Cannot reach the service.");
  }
  if (response.status === 401) {
    await unlock();
    return call(path, options);
  }
  if (!response.ok) {
    const body = await response.json().catch(() => ({}));
    const error = new Error(body.detail ?? `The service responded with status ${response.status}.`);
    error.status = response.status;
    throw error;
  }
  return response;
}

// Only fetch can send a key; without a key, the browser loads pictures lazily by itself.
export async function show(image, url) {
  if (!key) {
    image.src = url;
    return;
  }
  image.dataset.wanted = url;
  const blob = await (await call(url)).blob();
  if (image.dataset.wanted !== url) return; // a newer picture was requested
  const objectUrl = URL.createObjectURL(blob);
  image.src = objectUrl;
  image.addEventListener("load", () => URL.revokeObjectURL(objectUrl), { once: true });
}

let unlocking = null;

function unlock() {
  const dialog = document.getElementById("lock");
  unlocking ??= new Promise((resolve) => {
    dialog.showModal();
    dialog.addEventListener("close", () => {
      key = document.getElementById("key").value;
      sessionStorage.setItem("key", key);
      unlocking = null;
      resolve();
    }, { once: true });
  });
  return unlocking;
}
