// Reads a case's pictures and draws them, without libraries; it follows report.js in one script.
//
// The display is radiological, as in the quality control picture: along the two axes of a plane the
// world coordinate falls, from right to left, from front to back, from top to bottom.
// Along each plane: what it is stacked on, what runs across, what runs down (0 left-right,
// 1 back-front, 2 down-up).
const planes = [
  { name: "Coronal", stack: 1, across: 0, down: 2, letters: ["R", "L", "S", "I"] },
  { name: "Axial", stack: 2, across: 0, down: 1, letters: ["R", "L", "A", "P"] },
  { name: "Sagittal", stack: 0, across: 1, down: 2, letters: ["A", "P", "S", "I"] },
];
const viewer = byId("viewer");
const more = [230, 159, 0];
const less = [86, 180, 233];
const other = [204, 121, 167];
const state = {
  current: -1, images: null, position: [0, 0, 0], chosen: null, cross: true, waiting: null,
  enlarged: null,
};
const kept = new Map();
const structureOfLabel = new Map(data.structures.map((item) => [item.index, item]));

// Reading.

window.sliceSegCase = (images) => state.waiting?.(images);

function load(index) {
  if (kept.has(index)) return kept.get(index);
  const promise = read(index);
  kept.set(index, promise);
  promise.catch(() => kept.delete(index));
  // Five cases in memory are enough to go back and forth.
  for (const old of kept.keys()) {
    if (kept.size <= 5) break;
    if (old !== index) kept.delete(old);
  }
  return promise;
}

let turn = Promise.resolve();
function read(index) {
  const reading = turn.then(() => fetchScript(index)).then(decode);
  turn = reading.catch(() => {});
  return reading;
}

function fetchScript(index) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    const end = (action, value) => {
      state.waiting = null;
      script.remove();
      action(value);
    };
    state.waiting = (images) => {
      if (images.stamp === data.stamp && images.case === index) end(resolve, images);
    };
    script.onerror = () => end(reject, new Error(
      "The pictures of this case are missing: keep the folder report-files beside this page."));
    script.onload = () => {
      if (script.isConnected) {
        end(reject, new Error(
          "The pictures of this case belong to another report: write the report again."));
      }
    };
    script.src = data.cases[index].file;
    document.head.append(script);
  });
}

const damaged = "The pictures of this case are damaged: write the report again.";

/** Bytes of one of some lengths. */
async function inflate(text, lengths) {
  if (!("DecompressionStream" in window)) {
    throw new Error("This browser is too old for the pictures: use one from 2023 or later.");
  }
  let plain;
  try {
    const binary = atob(text);
    const bytes = new Uint8Array(binary.length);
    for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    plain = new Uint8Array(await new Response(stream).arrayBuffer());
  } catch {
    throw new Error(damaged);
  }
  if (!lengths.includes(plain.length)) throw new Error(damaged);
  return plain;
}

/** Undoes the median predictor in place. */
function restoreLevels(levels, [width, height, depth]) {
  let i = 0;
  for (let z = 0; z < depth; z++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++, i++) {
        const a = x > 0 ? levels[i - 1] : 0;
        const b = y > 0 ? levels[i - width] : 0;
        const c = x > 0 && y > 0 ? levels[i - width - 1] : 0;
        const high = a > b ? a : b;
        const low = a > b ? b : a;
        levels[i] += c >= high ? low : c <= low ? high : a + b - c;
      }
    }
  }
  return levels;
}

/** Undoes the label predictor. */
function restoreCodes(bytes, [width, height, depth]) {
  const count = width * height * depth;
  const codes = new Uint16Array(count);
  const isWide = bytes.length === 2 * count;
  const slice = width * height;
  let i = 0;
  for (let z = 0; z < depth; z++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++, i++) {
        const a = x > 0 ? codes[i - 1] : 0;
        const b = y > 0 ? codes[i - width] : 0;
        const c = x > 0 && y > 0 ? codes[i - width - 1] : 0;
        let expected = a === c ? b : a;
        if (z > 0) {
          const aBehind = x > 0 ? codes[i - slice - 1] : 0;
          const bBehind = y > 0 ? codes[i - slice - width] : 0;
          if (a === aBehind && b === bBehind) expected = codes[i - slice];
        }
        // One byte holds a difference of codes below 256, modulo 256.
        codes[i] = isWide
          ? expected + bytes[i] + (bytes[i + count] << 8) : (expected + bytes[i]) & 255;
      }
    }
  }
  return codes;
}

async function decode(raw) {
  const voxels = ([width, height, depth]) => width * height * depth;
  const [levels, codes] = [voxels(raw.scanSize), voxels(raw.labelSize)];
  const bytes = (text, lengths) => (text ? inflate(text, lengths) : null);
  const [scan, prediction, reference] = await Promise.all([
    bytes(raw.scan, [levels]), bytes(raw.prediction, [codes, 2 * codes]),
    bytes(raw.reference, [codes, 2 * codes]),
  ]);
  const colors = raw.labels.map((label) => {
    const hex = structureOfLabel.get(label)?.color ?? "#b0b0b0";
    return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  });
  return {
    ...raw, colors,
    scan: scan && restoreLevels(scan, raw.scanSize),
    prediction: prediction && restoreCodes(prediction, raw.labelSize),
    reference: reference && restoreCodes(reference, raw.labelSize),
  };
}

function nameOfCode(images, code) {
  const label = images.labels[code];
  return structureOfLabel.get(label)?.name ?? "label " + label;
}

// Drawing.

for (const plane of planes) {
  const figure = document.createElement("figure");
  const canvas = document.createElement("canvas");
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "img");
  const caption = document.createElement("figcaption");
  const title = document.createElement("span");
  title.textContent = plane.name;
  const place = document.createElement("span");
  place.className = "quiet";
  caption.append(title, place);
  const slider = document.createElement("input");
  slider.type = "range";
  slider.min = "0";
  slider.setAttribute("aria-label", plane.name + " slice");
  figure.append(canvas, caption, slider);
  byId("planes").insertBefore(figure, byId("about"));
  Object.assign(plane, { canvas, place, slider, figure });

  slider.addEventListener("input", () => goTo(plane.stack, Number(slider.value)));
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    plane.rolled = (plane.rolled ?? 0) + event.deltaY * (event.deltaMode === 1 ? 30 : 1);
    const steps = Math.trunc(plane.rolled / 30);
    plane.rolled -= steps * 30;
    if (steps) goTo(plane.stack, state.position[plane.stack] - steps);
    tellUnder(plane, event);
  }, { passive: false });
  canvas.addEventListener("pointermove", (event) => {
    if (event.buttons & 1) moveCross(plane, event);
    tellUnder(plane, event);
  });
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    moveCross(plane, event);
    canvas.focus();
  });
  canvas.addEventListener("pointerleave", hideTip);
  canvas.addEventListener("dblclick", () => enlarge(plane));
}

let isDrawPlanned = false;
function draw() {
  if (isDrawPlanned) return;
  isDrawPlanned = true;
  requestAnimationFrame(() => {
    isDrawPlanned = false;
    if (!state.images) return;
    arrange();
    planes.filter((plane) => !plane.figure.hidden).forEach(drawPlane);
  });
}

function enlarge(plane) {
  state.enlarged = state.enlarged === plane ? null : plane;
  draw();
}

/**
 * Gives the planes their widths: one scale for all, or all the room for one. Three planes stand
 * in a row or, where they become larger so, in a square whose fourth part has the readout.
 */
function arrange() {
  const { extent, spacing } = state.images;
  const length = (axis) => extent[axis] * spacing[axis];
  const frame = byId("planes");
  const isNarrow = matchMedia("(max-width: 700px)").matches;
  const isBeside = matchMedia("(min-width: 1001px)").matches;
  const stage = byId("stage");
  const room = Math.max(320, (isBeside ? stage.clientHeight : innerHeight) - 190);
  const [width, height] = [stage.clientWidth - 40, stage.clientHeight - 40];
  const [across, along, up] = [length(0), length(1), length(2)];
  // 60 pixels are for a caption and its slider, 20 for a gap.
  const inRow = Math.min(
    (width - 40) / (2 * across + along), (height - 150) / Math.max(along, up));
  const inSquare = Math.min(
    (width - 20) / (across + along), (height - 20 - 2 * 60) / (along + up));
  const isSquare = isBeside && state.enlarged === null && inSquare > inRow;
  frame.classList.toggle("square", isSquare);
  planes.forEach((plane, index) => {
    plane.figure.style.order = String((isSquare ? [0, 2, 1] : [0, 1, 2])[index]);
  });
  for (const plane of planes) {
    plane.figure.hidden = state.enlarged !== null && state.enlarged !== plane;
    const widest = (room * length(plane.across)) / length(plane.down);
    plane.figure.style.maxWidth = state.enlarged === plane ? widest + "px" : "";
  }
  frame.style.gridTemplateColumns = state.enlarged || isNarrow ? ""
    : isSquare ? across * inSquare + "px " + along * inSquare + "px"
    : planes.map((plane) => "minmax(0, " + length(plane.across) + "fr)").join(" ");
  frame.classList.toggle("enlarged", state.enlarged !== null);
}

function goTo(axis, value) {
  if (!state.images) return;
  const last = state.images.extent[axis] - 1;
  state.position[axis] = Math.min(Math.max(Math.round(value), 0), last);
  draw();
  tellPosition();
}

/** The voxel of the box under a pointer. */
function voxelUnder(plane, event) {
  const { extent } = state.images;
  const box = plane.canvas.getBoundingClientRect();
  const share = (value) => Math.min(Math.max(value, 0), 0.999999);
  const u = share((event.clientX - box.left) / box.width);
  const v = share((event.clientY - box.top) / box.height);
  const voxel = [...state.position];
  voxel[plane.across] = extent[plane.across] - 1 - Math.floor(u * extent[plane.across]);
  voxel[plane.down] = extent[plane.down] - 1 - Math.floor(v * extent[plane.down]);
  return voxel;
}

function moveCross(plane, event) {
  if (!state.images) return;
  state.position = voxelUnder(plane, event);
  draw();
  tellPosition();
}

function codesAt(voxel) {
  const { labelSize, labelFactor, prediction, reference } = state.images;
  const at = voxel.map((value, axis) =>
    Math.min(Math.floor(value / labelFactor[axis]), labelSize[axis] - 1));
  const offset = at[0] + labelSize[0] * (at[1] + labelSize[1] * at[2]);
  return [prediction?.[offset] ?? null, reference?.[offset] ?? null];
}

function describe(voxel) {
  const [p, r] = codesAt(voxel);
  const name = (code) => (code === 0 ? "background" : nameOfCode(state.images, code));
  if (p === null && r === null) return "";
  if (r === null) return name(p);
  if (p === null) return "reference: " + name(r);
  if (p === r) return name(p) + (p ? " (both)" : "");
  return "prediction: " + name(p) + "\nreference: " + name(r);
}

function tellUnder(plane, event) {
  if (!state.images) return;
  const text = describe(voxelUnder(plane, event));
  if (text && text !== "background") showTip(text, event.clientX, event.clientY);
  else hideTip();
}

function tellPosition() {
  const { position, images } = state;
  const voxel = position.map((value, axis) => value + images.origin[axis]);
  byId("readout").textContent = "At voxel " + voxel.join(", ") + " (from left, back, bottom): "
    + (describe(position).replace("\n", ", ") || "no labels");
}

/** For each pixel along a side, which voxels of a lattice it shows. */
function sampling(pixels, extent, size, factor) {
  const nearest = new Int32Array(pixels);
  const lower = new Int32Array(pixels);
  const upper = new Int32Array(pixels);
  const weight = new Float32Array(pixels);
  for (let i = 0; i < pixels; i++) {
    const place = (extent - ((i + 0.5) * extent) / pixels) / factor;
    nearest[i] = Math.min(Math.max(Math.floor(place), 0), size - 1);
    const below = Math.floor(place - 0.5);
    lower[i] = Math.min(Math.max(below, 0), size - 1);
    upper[i] = Math.min(Math.max(below + 1, 0), size - 1);
    weight[i] = place - 0.5 - below;
  }
  return { nearest, lower, upper, weight };
}

/** The labels that the pixels of a slice show; 0 too where another structure is chosen. */
function labelPixels(codes, plane, width, height) {
  const { extent, labelSize, labelFactor } = state.images;
  const strides = [1, labelSize[0], labelSize[0] * labelSize[1]];
  const { across, down, stack } = plane;
  const columns = sampling(width, extent[across], labelSize[across], labelFactor[across]);
  const lines = sampling(height, extent[down], labelSize[down], labelFactor[down]);
  const depth = Math.min(
    Math.floor(state.position[stack] / labelFactor[stack]), labelSize[stack] - 1);
  const only = state.chosen === null ? -1
    : state.images.labels.indexOf(data.structures[state.chosen].index);
  const result = new Uint16Array(width * height);
  for (let y = 0, i = 0; y < height; y++) {
    const start = depth * strides[stack] + lines.nearest[y] * strides[down];
    for (let x = 0; x < width; x++, i++) {
      const code = codes[start + columns.nearest[x] * strides[across]];
      result[i] = state.chosen === null || code === only ? code : 0;
    }
  }
  return result;
}

function drawPlane(plane) {
  const { images, position } = state;
  const { across, down, stack, canvas } = plane;
  const { extent, spacing } = images;
  const density = Math.min(window.devicePixelRatio || 1, 2);
  const width = Math.max(1, Math.round(canvas.clientWidth * density));
  const millimeters = (axis) => extent[axis] * spacing[axis];
  const height = Math.max(1, Math.round((width * millimeters(down)) / millimeters(across)));
  canvas.style.aspectRatio = width + " / " + height;
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const pixels = context.createImageData(width, height);
  const out = pixels.data;

  if (images.scan) {
    const { scan, scanSize, scanFactor } = images;
    const strides = [1, scanSize[0], scanSize[0] * scanSize[1]];
    const columns = sampling(width, extent[across], scanSize[across], scanFactor[across]);
    const lines = sampling(height, extent[down], scanSize[down], scanFactor[down]);
    const depth = Math.min(
      Math.floor(position[stack] / scanFactor[stack]), scanSize[stack] - 1);
    const scale = 255 / images.brightest;
    for (let y = 0, i = 0; y < height; y++) {
      const first = depth * strides[stack] + lines.lower[y] * strides[down];
      const second = depth * strides[stack] + lines.upper[y] * strides[down];
      const v = lines.weight[y];
      for (let x = 0; x < width; x++, i += 4) {
        const left = columns.lower[x] * strides[across];
        const right = columns.upper[x] * strides[across];
        const u = columns.weight[x];
        const top = scan[first + left] * (1 - u) + scan[first + right] * u;
        const bottom = scan[second + left] * (1 - u) + scan[second + right] * u;
        const gray = (top * (1 - v) + bottom * v) * scale;
        out[i] = out[i + 1] = out[i + 2] = gray;
      }
    }
  }
  for (let i = 3; i < out.length; i += 4) out[i] = 255;

  const opacity = Number(byId("opacity").value) / 100;
  const line = Math.max(1, Math.round(density));
  const shows = (name) => byId("show-" + name).checked;
  const showsPrediction = shows("prediction");
  const showsReference = shows("reference");
  const showsDifference = shows("difference");
  const predicted = images.prediction
    && labelPixels(images.prediction, plane, width, height);
  const referred = images.reference && labelPixels(images.reference, plane, width, height);
  const mix = (at, color, share) => {
    for (let channel = 0; channel < 3; channel++) {
      out[at + channel] += (color[channel] - out[at + channel]) * share;
    }
  };
  /** Whether a pixel lies on the border of its structure, on the structure's side. */
  const isBorder = (labels, x, y, i) => {
    const label = labels[i];
    return label !== 0 && ((x >= line && labels[i - line] !== label)
      || (x + line < width && labels[i + line] !== label)
      || (y >= line && labels[i - line * width] !== label)
      || (y + line < height && labels[i + line * width] !== label));
  };
  const fill = opacity * 0.6;
  const edge = Math.min(1, opacity * 1.7);
  const period = 7 * density;
  const stroke = 2 * density;
  const black = [0, 0, 0];
  const white = [255, 255, 255];
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      const p = predicted ? predicted[i] : 0;
      const r = referred ? referred[i] : 0;
      if (p === 0 && r === 0) continue;
      const at = 4 * i;
      if (predicted && p && showsPrediction) {
        mix(at, images.colors[p], isBorder(predicted, x, y, i) ? edge : fill);
      }
      if (showsDifference && predicted && referred && p !== r) {
        const color = r === 0 ? more : p === 0 ? less : other;
        const rising = (x + y) % period < stroke;
        const falling = (x - y + 64 * period * height) % period < stroke;
        const isLine = r === 0 ? rising : p === 0 ? falling : rising || falling;
        mix(at, color, isLine ? Math.max(edge, 0.6) : fill * 0.5);
      }
      if (referred && r && showsReference && isBorder(referred, x, y, i)) {
        const isDash = (x + y) % (6 * density) < 4 * density;
        mix(at, isDash ? white : black, Math.max(edge * 0.85, 0.35));
      }
    }
  }
  context.putImageData(pixels, 0, 0);

  if (state.cross) {
    const x = ((extent[across] - 0.5 - position[across]) / extent[across]) * width;
    const y = ((extent[down] - 0.5 - position[down]) / extent[down]) * height;
    const gap = 9 * density;
    context.strokeStyle = "#ffffff80";
    context.lineWidth = density;
    context.beginPath();
    for (const [x1, y1, x2, y2] of [
      [0, y, x - gap, y], [x + gap, y, width, y], [x, 0, x, y - gap],
      [x, y + gap, x, height],
    ]) {
      context.moveTo(x1, y1);
      context.lineTo(x2, y2);
    }
    context.stroke();
  }
  context.font = 12 * density + "px system-ui, sans-serif";
  context.fillStyle = "#ffffffc0";
  context.strokeStyle = "#000000a0";
  context.lineWidth = 3 * density;
  context.textBaseline = "middle";
  const pad = 6 * density;
  const letter = (text, x, y, align) => {
    context.textAlign = align;
    context.strokeText(text, x, y);
    context.fillText(text, x, y);
  };
  letter(plane.letters[0], pad, height / 2, "left");
  letter(plane.letters[1], width - pad, height / 2, "right");
  letter(plane.letters[2], width / 2, pad + 6 * density, "center");
  letter(plane.letters[3], width / 2, height - pad - 6 * density, "center");

  const slice = position[stack] + images.origin[stack] + 1;
  plane.place.textContent = "slice " + slice + " of " + images.full[stack];
  plane.slider.max = String(extent[stack] - 1);
  plane.slider.value = String(position[stack]);
  canvas.setAttribute("aria-label", plane.name + ", " + plane.place.textContent);
}

// Choosing.

/**
 * The voxel where a structure's maps differ most, or where it is largest: in each direction the
 * slice with most such voxels. Without a structure, all of them count.
 */
function placeOf(images, structure) {
  const code = structure === null ? -1
    : images.labels.indexOf(data.structures[structure].index);
  const { labelSize, labelFactor, prediction, reference, extent } = images;
  const isIn = (value) => (structure === null ? value > 0 : value === code);
  const differing = labelSize.map((count) => new Float64Array(count));
  const present = labelSize.map((count) => new Float64Array(count));
  for (let z = 0, i = 0; z < labelSize[2]; z++) {
    for (let y = 0; y < labelSize[1]; y++) {
      for (let x = 0; x < labelSize[0]; x++, i++) {
        const p = prediction ? isIn(prediction[i]) : false;
        const r = reference ? isIn(reference[i]) : false;
        if (!p && !r) continue;
        const at = [x, y, z];
        for (let axis = 0; axis < 3; axis++) {
          present[axis][at[axis]] += 1;
          if (prediction && reference && p !== r) differing[axis][at[axis]] += 1;
        }
      }
    }
  }
  return extent.map((count, axis) => {
    const useful = structure !== null && differing[axis].some((value) => value > 0)
      ? differing[axis] : present[axis];
    const top = useful.reduce((best, value, at) => (value > useful[best] ? at : best), 0);
    const found = useful[top] > 0;
    return found ? Math.min(Math.floor((top + 0.5) * labelFactor[axis]), count - 1)
      : count >> 1;
  });
}

function choose(structure) {
  state.chosen = structure;
  byId("all-structures").hidden = structure === null;
  byId("side-title").hidden = structure !== null;
  for (const row of byId("side-structures").rows) {
    row.classList.toggle("chosen", Number(row.dataset.structure) === structure);
    row.querySelector("button").setAttribute(
      "aria-pressed", String(Number(row.dataset.structure) === structure));
  }
  if (!state.images) return;
  if (structure !== null) state.position = placeOf(state.images, structure);
  draw();
  tellPosition();
}

function fillSide(entry) {
  const metric = data.metrics[0];
  byId("side-title").textContent =
    metric?.direction ? "Structures, worst first" : "Structures";
  byId("side-metric").textContent =
    metric ? metric.name + (metric.unit ? ", " + metric.unit : "") : "";
  const sign = metric?.direction < 0 ? -1 : 1;
  const value = (index) => entry.values[0]?.[index] ?? null;
  const order = data.structures.map((_, index) => index).sort((a, b) => {
    if (value(a) === null || value(b) === null) {
      return (value(a) === null ? 1 : 0) - (value(b) === null ? 1 : 0) || a - b;
    }
    if (!metric.direction) return a - b;
    return sign * (value(a) - value(b)) || a - b;
  });
  byId("side-structures").replaceChildren(...order.map((index) => {
    const { name, color } = data.structures[index];
    const row = document.createElement("tr");
    row.dataset.structure = String(index);
    const button = document.createElement("button");
    button.type = "button";
    const dot = document.createElement("i");
    dot.className = "swatch";
    dot.style.background = color;
    button.append(dot, name);
    button.title = data.metrics.map((each, at) =>
      each.name + " "
          + shown(entry.values[at][index], each, isPenalty(entry, at, index))
        + (each.unit ? " " + each.unit : "")).join("\n");
    button.addEventListener("click", () => choose(state.chosen === index ? null : index));
    const first = row.insertCell();
    first.append(button);
    const second = row.insertCell();
    second.className = "number";
    second.textContent = metric
      ? shown(value(index), metric, isPenalty(entry, 0, index)) : "";
    return row;
  }));
}

async function openCase(index, structure = null) {
  const entry = data.cases[index];
  hideTip();
  state.current = index;
  state.images = null;
  byId("viewer-title").textContent = entry.name;
  byId("message").textContent = "Reading the pictures …";
  byId("readout").textContent = "";
  byId("planes").style.visibility = "hidden";
  fillSide(entry);
  choose(structure);
  if (!viewer.open) viewer.showModal();
  try {
    if (!entry.file) throw new Error("This case has no pictures.");
    const images = await load(index);
    if (state.current !== index) return;
    state.images = images;
    state.position = placeOf(images, structure);
    const both = Boolean(images.prediction && images.reference);
    byId("show-prediction").disabled = !images.prediction;
    byId("show-reference").disabled = !images.reference;
    byId("show-difference").disabled = !both;
    for (const name of ["prediction", "reference", "difference"]) {
      byId("show-" + name).closest("label").hidden = byId("show-" + name).disabled;
    }
    byId("legend").hidden = !both;
    const isCoarse = [...images.labelFactor].some((factor) => factor > 1);
    byId("message").textContent = [
      entry.failure, ...entry.flags.slice(0, 3),
      entry.flags.length > 3 ? "and " + (entry.flags.length - 3) + " more remarks" : "",
      isCoarse ? "Labels are shown coarser than they are; figures are not affected." : "",
    ].filter(Boolean).join(" · ");
    byId("planes").style.visibility = "";
    draw();
    tellPosition();
    planes[0].canvas.focus({ preventScroll: true });
  } catch (error) {
    if (state.current === index) byId("message").textContent = error.message;
  }
}

function step(by) {
  const list = shownCases().filter((index) => data.cases[index].file);
  if (!list.length) return;
  const at = list.indexOf(state.current);
  openCase(list[(at + by + list.length) % list.length], state.chosen);
}

function toggle(id) {
  const box = byId(id);
  if (box.disabled) return;
  box.checked = !box.checked;
  draw();
}

for (const id of ["show-prediction", "show-reference", "show-difference", "opacity"]) {
  byId(id).addEventListener("input", draw);
}
byId("previous").addEventListener("click", () => step(-1));
byId("next").addEventListener("click", () => step(1));
byId("close").addEventListener("click", () => viewer.close());
byId("all-structures").addEventListener("click", () => choose(null));
viewer.addEventListener("close", () => {
  hideTip();
  state.current = -1;
  state.images = null;
});
addEventListener("resize", draw);

viewer.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const focused = planes.find((plane) => plane.canvas === document.activeElement) ?? planes[0];
  const isSlider = event.target.type === "range";
  const steps = {
    ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 10, PageDown: -10,
  }[event.key];
  const opacity = byId("opacity");
  if (steps && !isSlider) goTo(focused.stack, state.position[focused.stack] + steps);
  else if (event.key >= "1" && event.key <= "3") planes[event.key - 1].canvas.focus();
  else if (event.key === "[" || event.key === "]") {
    opacity.value = String(Number(opacity.value) + (event.key === "[" ? -10 : 10));
    draw();
  } else {
    const action = {
      p: () => toggle("show-prediction"), r: () => toggle("show-reference"),
      d: () => toggle("show-difference"), n: () => step(1), b: () => step(-1),
      a: () => choose(null), f: () => enlarge(focused),
      c: () => {
        state.cross = !state.cross;
        draw();
      },
    }[event.key.toLowerCase()];
    if (!action) return;
    action();
  }
  event.preventDefault();
});
