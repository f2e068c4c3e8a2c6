// The address of a search with one gallery photo, and with the filters of the form.

const NO_FILTERS = ["k", "method"]; // these select no photos

export function addressOf(id) {
  const options = [...new FormData(document.getElementById("how"))];
  const filters = options.filter(([name, value]) => value && !NO_FILTERS.includes(name));
  return `?${new URLSearchParams([["id", id], ...filters])}`;
}
