// Crop of a photo, selected by dragging or with the keyboard, in 1-based inclusive pixels.

const SMALLEST = 8; // screen pixels; a shorter drag is a click
const NEAR = 12; // screen pixels; a drag that starts this close to a corner moves the corner

export function cropper(stage, photo, frame, button, chosen) {
  let box = null;

  // Returns scale and position of the photo in the stage, which may be larger than the photo.
  function shown() {
    const scale = Math.min(photo.clientWidth / photo.naturalWidth, photo.clientHeight / photo.naturalHeight);
    const left = photo.offsetLeft + (photo.clientWidth - photo.naturalWidth * scale) / 2;
    const top = photo.offsetTop + (photo.clientHeight - photo.naturalHeight * scale) / 2;
    return { scale, left, top };
  }

  function draw() {
    button.ariaPressed = String(Boolean(box));
    button.textContent = box ? "Whole photo" : "Select part";
    frame.hidden = !box || !photo.naturalWidth;
    if (frame.hidden) return;
    const { scale, left, top } = shown();
    const [x1, y1, x2, y2] = box;
    frame.style.left = `${left + (x1 - 1) * scale}px`;
    frame.style.top = `${top + (y1 - 1) * scale}px`;
    frame.style.width = `${(x2 - x1 + 1) * scale}px`;
    frame.style.height = `${(y2 - y1 + 1) * scale}px`;
  }

  function within(x1, y1, x2, y2) {
    const clip = (value, most) => Math.round(Math.max(1, Math.min(most, value)));
    const [w, h] = [photo.naturalWidth, photo.naturalHeight];
    return [clip(x1, w), clip(y1, h), clip(x2, w), clip(y2, h)];
  }

  let pause = null;
  function choose(next) {
    clearTimeout(pause);
    box = next;
    draw();
    chosen(box);
  }

  let start = null;
  const place = (event) => {
    const { scale, left, top } = shown();
    const bounds = stage.getBoundingClientRect();
    return [
      (event.clientX - bounds.left - stage.clientLeft - left) / scale,
      (event.clientY - bounds.top - stage.clientTop - top) / scale,
    ];
  };
  // Returns the fixed corner of a drag: near a corner of the crop, the opposite corner.
  function anchor(at) {
    if (!box) return at;
    const near = NEAR / shown().scale;
    const [x1, y1, x2, y2] = [box[0] - 1, box[1] - 1, box[2], box[3]];
    const opposite = (value, low, high) =>
      Math.abs(value - low) < near ? high : Math.abs(value - high) < near ? low : null;
    const corner = [opposite(at[0], x1, x2), opposite(at[1], y1, y2)];
    return corner.includes(null) ? at : corner;
  }

  stage.addEventListener("pointerdown", (event) => {
    if (!photo.naturalWidth || event.button) return;
    if (event.pointerType === "touch" && !box) return; // touch scrolls until a crop is selected
    start = { at: anchor(place(event)), box };
    stage.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  stage.addEventListener("pointermove", (event) => {
    if (!start) return;
    const [[xa, ya], [xb, yb]] = [start.at, place(event)];
    if (Math.hypot(xb - xa, yb - ya) * shown().scale < SMALLEST) return;
    box = within(Math.min(xa, xb) + 1, Math.min(ya, yb) + 1, Math.max(xa, xb), Math.max(ya, yb));
    draw();
  });
  stage.addEventListener("pointerup", () => {
    if (start && box !== start.box) choose(box);
    start = null;
  });
  stage.addEventListener("pointercancel", () => {
    if (start) box = start.box;
    start = null;
    draw();
  });

  button.addEventListener("click", () => {
    if (!photo.naturalWidth) return; // the browser cannot display the photo
    const [w, h] = [photo.naturalWidth, photo.naturalHeight];
    choose(box ? null : within(w * 0.15 + 1, h * 0.15 + 1, w * 0.85, h * 0.85));
    if (box) frame.focus();
  });

  frame.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      choose(null);
      button.focus();
      return;
    }
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!way) return;
    event.preventDefault();
    const step = Math.max(1, Math.round(Math.max(photo.naturalWidth, photo.naturalHeight) / 50));
    const [dx, dy] = [way[0] * step, way[1] * step];
    const [x1, y1, x2, y2] = box;
    if (event.shiftKey) box = within(x1, y1, Math.max(x1, x2 + dx), Math.max(y1, y2 + dy));
    else if (x1 + dx >= 1 && y1 + dy >= 1 && x2 + dx <= photo.naturalWidth && y2 + dy <= photo.naturalHeight)
      box = [x1 + dx, y1 + dy, x2 + dx, y2 + dy];
    draw();
    clearTimeout(pause);
    pause = setTimeout(() => chosen(box), 400);
  });

  photo.addEventListener("load", draw);
  new ResizeObserver(draw).observe(stage);
  return {
    set(next) {
      clearTimeout(pause);
      box = next;
      stage.classList.toggle("cropping", Boolean(next));
      draw();
    },
  };
}
