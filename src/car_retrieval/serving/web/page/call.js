// Requests to the service, with its key where it wants one.

let key = sessionStorage.getItem("key");

export async function call(path, options = {}) {
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The service cannot be reached.");
  }
  if (response.status === 401) {
    await unlock();
    return call(path, options);
  }
  if (!response.ok) {
    const told = await response.json().catch(() => ({}));
    const error = new Error(told.detail ?? `The service answered ${response.status}.`);
    error.status = response.status;
    throw error;
  }
  return response;
}

// Only fetch can send a key; without one the browser loads pictures when they come into view.
export async function show(image, url) {
  if (!key) {
    image.src = url;
    return;
  }
  image.dataset.wanted = url;
  const blob = await (await call(url)).blob();
  if (image.dataset.wanted !== url) return; // another was asked for meanwhile
  const own = URL.createObjectURL(blob);
  image.src = own;
  image.addEventListener("load", () => URL.revokeObjectURL(own), { once: true });
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
