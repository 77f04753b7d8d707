/**
 * The picture: slices as grey values, segments as colour over them. What comes from the server are raw values and
 * bits; brightness, contrast and colours are made here. Slices that were seen are kept for this page, and those
 * beside the one shown are asked for ahead.
 */
const AHEAD = 3;
const KEPT = 400;

for (const root of document.querySelectorAll(".picture")) start(root);

function start(root) {
  const field = (name) => root.querySelector(`[name="${name}"]`);
  const canvas = root.querySelector("canvas");
  const state = root.querySelector("[data-state]");
  const base = () => `/api/v1/studies/${root.dataset.study}/series/${field("series").value}/picture`;
  let picture;
  let slices = new Map();
  let hidden = new Set();

  async function open() {
    state.textContent = "Reading the images …";
    root.hidden = false;
    slices = new Map();
    hidden = new Set();
    const answer = await fetch(base());
    if (!answer.ok) {
      picture = undefined;
      state.textContent = "There is nothing to see.";
      return;
    }
    picture = await answer.json();
    const { columns, rows, slices: count, spacing } = picture;
    // Pixels need not be square; the canvas is made as wide as the patient is.
    canvas.width = columns;
    canvas.height = rows;
    const aspect = (columns * spacing[0]) / (rows * spacing[1]);
    canvas.style.aspectRatio = String(aspect);
    canvas.style.width = `min(100%, ${72 * aspect}vh)`;
    field("slice").max = String(count - 1);
    field("slice").value = String(Math.floor(count / 2));
    list();
    await show({ isFirst: true });
    state.textContent = "";
  }

  function list() {
    const items = picture.layers.flatMap(({ model, segments }, layer) =>
      segments.map(({ number, label, color }) => {
        const box = document.createElement("input");
        box.type = "checkbox";
        box.checked = true;
        box.addEventListener("change", () => {
          hidden[box.checked ? "delete" : "add"](`${layer} ${number}`);
          void show();
        });
        const text = document.createElement("span");
        text.textContent = picture.layers.length > 1 ? `${label} (${model})` : label;
        const item = document.createElement("li");
        const line = document.createElement("label");
        line.append(box, swatch(color), text);
        item.append(line);
        return item;
      }),
    );
    root.querySelector("ul").replaceChildren(...items);
  }

  function swatch([red, green, blue]) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    for (const [name, value] of [
      ["width", "14"],
      ["height", "14"],
      ["class", "swatch"],
      ["aria-hidden", "true"],
    ])
      svg.setAttribute(name, value);
    for (const [name, value] of [
      ["width", "14"],
      ["height", "14"],
      ["rx", "3"],
      ["fill", `rgb(${red},${green},${blue})`],
    ])
      rect.setAttribute(name, value);
    svg.append(rect);
    return svg;
  }

  function slice(at) {
    const known = slices.get(at);
    if (known) return known;
    const asked = Promise.all([bytes(`${base()}/${at}`), bytes(`${base()}/${at}/masks`)]).then(
      ([values, masks]) => ({
        values: new Int16Array(values),
        masks: unpacked(masks),
      }),
    );
    asked.catch(() => slices.delete(at));
    slices.set(at, asked);
    if (slices.size > KEPT) slices.delete(slices.keys().next().value);
    return asked;
  }

  async function show({ isFirst = false } = {}) {
    if (!picture) return;
    const at = Number(field("slice").value);
    field("where").textContent = `${at + 1} of ${picture.slices}`;
    field("slice").setAttribute("aria-valuetext", `${at + 1} of ${picture.slices}`);
    try {
      const found = await slice(at);
      if (isFirst) window(found.values);
      if (at === Number(field("slice").value)) draw(found);
      state.textContent = "";
    } catch {
      state.textContent = "The slice could not be read.";
    }
    for (let step = 1; step <= AHEAD; step += 1)
      for (const near of [at + step, at - step])
        if (near >= 0 && near < picture.slices) slice(near).catch(() => {});
  }

  /** Without the darkest and the brightest hundredth. */
  function window(values) {
    const sorted = Int16Array.from(values).sort();
    const [low, high] = [sorted[Math.floor(sorted.length * 0.01)], sorted[Math.floor(sorted.length * 0.995)]];
    const [lowest, highest] = [sorted[0], sorted[sorted.length - 1]];
    field("level").min = String(lowest);
    field("level").max = String(highest);
    field("level").value = String(Math.round((low + high) / 2));
    field("width").max = String(Math.max(2, (highest - lowest) * 2));
    field("width").value = String(Math.max(1, high - low));
  }

  function draw({ values, masks }) {
    const { columns, rows } = picture;
    // To the right is darker: brightness is where the grey lies, turned around.
    const level = Number(field("level").min) + Number(field("level").max) - Number(field("level").value);
    const width = Number(field("width").max) + 1 - Number(field("width").value);
    const [low, scale] = [level - width / 2, 255 / width];
    const image = new ImageData(columns, rows);
    const pixels = image.data;
    for (let at = 0; at < values.length; at += 1) {
      const grey = (values[at] - low) * scale;
      pixels[4 * at] = pixels[4 * at + 1] = pixels[4 * at + 2] = grey;
      pixels[4 * at + 3] = 255;
    }
    const share = Number(field("opacity").value) / 100;
    for (const { layer, segment, bits } of masks) {
      if (hidden.has(`${layer} ${segment}`)) continue;
      const color = picture.layers[layer]?.segments.find(({ number }) => number === segment)?.color ?? [
        255, 0, 255,
      ];
      for (let at = 0; at < values.length; at += 1) {
        if (!((bits[at >> 3] >> (at & 7)) & 1)) continue;
        for (let channel = 0; channel < 3; channel += 1)
          pixels[4 * at + channel] = pixels[4 * at + channel] * (1 - share) + color[channel] * share;
      }
    }
    canvas.getContext("2d").putImageData(image, 0, 0);
  }

  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 10, PageDown: -10 }[
      event.key
    ];
    if (step) turn(event, step);
  });
  canvas.addEventListener("wheel", (event) => turn(event, event.deltaY < 0 ? 1 : -1), { passive: false });

  function turn(event, step) {
    event.preventDefault();
    const [range, last] = [field("slice"), picture ? picture.slices - 1 : 0];
    range.value = String(Math.max(0, Math.min(last, Number(range.value) + step)));
    void show();
  }

  const details = root.parentElement.querySelector(".picture-3d");
  details.addEventListener("toggle", () => void view());

  /** Once, when it is opened. */
  async function view() {
    if (!details.open || !picture || details.dataset.shown) return;
    details.dataset.shown = "yes";
    const told = details.querySelector("[role=status]");
    told.textContent = "Reading the slices …";
    try {
      const { show3d } = await import(root.dataset.view);
      const niivue = await show3d({
        library: root.dataset.library,
        picture,
        slice,
        canvas: details.querySelector("canvas"),
        onWay: (part) => {
          told.textContent = `Reading the slices: ${Math.round(100 * part)} %`;
        },
      });
      const angle = (name) => Number(details.querySelector(`[name="${name}"]`).value);
      for (const range of details.querySelectorAll("input"))
        range.addEventListener("input", () => niivue.setRenderAzimuthElevation(angle("turn"), angle("tilt")));
      told.textContent = "";
    } catch (error) {
      told.textContent = `This browser cannot show it: ${error.message}`;
    }
  }

  for (const name of ["slice", "level", "width", "opacity"])
    field(name).addEventListener("input", () => void show());
  field("series").addEventListener("change", () => void open());
  void open();
}

async function bytes(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.arrayBuffer();
}

function unpacked(buffer) {
  const view = new DataView(buffer);
  const masks = [];
  for (let at = 0; at + 8 <= buffer.byteLength; ) {
    const [layer, segment, length] = [
      view.getUint16(at, true),
      view.getUint16(at + 2, true),
      view.getUint32(at + 4, true),
    ];
    masks.push({ layer, segment, bits: new Uint8Array(buffer, at + 8, length) });
    at += 8 + length;
  }
  return masks;
}
