// The page of a bundle: a dropped image is predicted by ONNX Runtime in the browser and drawn.
// The graph decodes, so this file prepares images as Pillow does and draws final predictions.
import * as ort from "./ort.wasm.min.mjs";

const settings = JSON.parse(document.getElementById("settings").textContent);
const status = document.getElementById("status");
const results = document.getElementById("results");
const json = document.getElementById("json");
const OPACITY = 0.5;
const NUM_TOP = 5;
const MAX_PIXELS = 2 ** 22; // of masks and maps; larger images get them in a smaller size
const PRECISION_BITS = 22; // of Pillow's coefficients

function say(text, isError = false) {
  status.textContent = text;
  status.className = isError ? "error" : "";
}

async function open() {
  ort.env.wasm.numThreads = 1; // several need headers of the server
  ort.env.wasm.wasmPaths = new URL("./", import.meta.url).href;
  return ort.InferenceSession.create("../model.onnx", { executionProviders: ["wasm"], logSeverityLevel: 3 });
}

// Pixels of an upright image, [height, width, RGBA], without color management, as Pillow reads it.
async function readPixels(file) {
  const bitmap = await createImageBitmap(file, {
    imageOrientation: "from-image", colorSpaceConversion: "none", premultiplyAlpha: "none",
  });
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(bitmap, 0, 0);
  const data = pen.getImageData(0, 0, bitmap.width, bitmap.height).data;
  let isTransparent = false;
  for (let index = 3; index < data.length && !isTransparent; index += 4) {
    isTransparent = data[index] < 255;
  }
  return { data, width: bitmap.width, height: bitmap.height, bitmap, isTransparent };
}

// Integer coefficients of Pillow's bilinear filter: which source pixels form a target pixel.
function coefficients(length, target) {
  const scale = length / target;
  const support = Math.max(scale, 1);
  return Array.from({ length: target }, (_, index) => {
    const center = (index + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - support + 0.5));
    const last = Math.min(length, Math.trunc(center + support + 0.5));
    const weights = [];
    for (let at = first; at < last; at++) {
      weights.push(Math.max(0, 1 - Math.abs((at - center + 0.5) * (1 / support))));
    }
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const rounded = weights.map((weight) => Math.trunc(0.5 + (weight / total) * 2 ** PRECISION_BITS));
    return { first, weights: rounded };
  });
}

function clip(value) {
  return Math.min(255, Math.max(0, value >> PRECISION_BITS));
}

// One pass of the filter over RGBA pixels; `stride` steps along the axis, `across` to the next line.
function pass(source, lines, across, stride, length, target, targetAcross, targetStride, output) {
  if (length === target) {
    for (let line = 0; line < lines; line++) {
      for (let index = 0; index < target; index++) {
        for (let band = 0; band < 3; band++) {
          output[line * targetAcross + index * targetStride + band] = source[line * across + index * stride + band];
        }
      }
    }
    return;
  }
  coefficients(length, target).forEach(({ first, weights }, index) => {
    for (let line = 0; line < lines; line++) {
      for (let band = 0; band < 3; band++) {
        let sum = 2 ** (PRECISION_BITS - 1);
        let at = line * across + first * stride + band;
        for (const weight of weights) {
          sum += source[at] * weight;
          at += stride;
        }
        output[line * targetAcross + index * targetStride + band] = clip(sum);
      }
    }
  });
}

// RGBA pixels in another size. Pillow rounds after each pass to 8 bits, so the order of the passes is that of Pillow 13.
function resize({ data, width, height }, targetWidth, targetHeight) {
  const isVerticalFirst = height > targetHeight && height - targetHeight > 2 * (width - targetWidth);
  const result = new Uint8Array(targetHeight * targetWidth * 4);
  if (isVerticalFirst) {
    const low = new Uint8Array(targetHeight * width * 4);
    pass(data, width, 4, width * 4, height, targetHeight, 4, width * 4, low);
    pass(low, targetHeight, width * 4, 4, width, targetWidth, targetWidth * 4, 4, result);
  } else {
    const narrow = new Uint8Array(height * targetWidth * 4);
    pass(data, height, width * 4, 4, width, targetWidth, targetWidth * 4, 4, narrow);
    pass(narrow, targetWidth, 4, targetWidth * 4, height, targetHeight, 4, targetWidth * 4, result);
  }
  return result;
}

// The network's input, float32 [1, 3, H, W]: Pillow's bilinear resizing in 8 bits, then normalized.
function prepare(image) {
  const [height, width] = settings.size;
  const small = resize(image, width, height);
  const values = new Float32Array(3 * height * width);
  for (let band = 0; band < 3; band++) {
    const mean = Math.fround(settings.mean[band]);
    const std = Math.fround(settings.std[band]);
    for (let index = 0; index < height * width; index++) {
      const value = Math.fround(small[index * 4 + band] / 255);
      values[band * height * width + index] = Math.fround(value - mean) / std;
    }
  }
  return new ort.Tensor("float32", values, [1, 3, height, width]);
}

// Predictions by task: the form, its decoded arrays and the size of masks and maps.
async function predict(session, image) {
  const factor = Math.min(1, Math.sqrt(MAX_PIXELS / (image.width * image.height)));
  const height = Math.max(1, Math.round(image.height * factor));
  const width = Math.max(1, Math.round(image.width * factor));
  const size = new ort.Tensor("int64", BigInt64Array.of(BigInt(height), BigInt(width)), [2]);
  const outputs = await session.run({ images: prepare(image), image_size: size });
  const predictions = {};
  for (const [task, spec] of Object.entries(settings.tasks)) {
    const arrays = {};
    for (const [name, tensor] of Object.entries(outputs)) {
      if (name.slice(0, name.lastIndexOf(".")) === task) {
        arrays[name.slice(task.length + 1)] = tensor;
      }
    }
    predictions[task] = READERS[spec.form](spec, arrays, image, width, height);
  }
  return predictions;
}

const READERS = {
  category(spec, { label, scores }) {
    const order = [...scores.data.keys()].sort((a, b) => scores.data[b] - scores.data[a] || a - b);
    const scored = (index) => ({ class: spec.classes[index], score: rounded(scores.data[index], 4) });
    const index = Number(label.data[0]);
    return { form: spec.form, ...scored(index), top: order.slice(0, NUM_TOP).map(scored) };
  },
  categories(spec, { selected, scores }) {
    const order = [...scores.data.keys()].sort((a, b) => scores.data[b] - scores.data[a] || a - b);
    const classes = order.filter((index) => selected.data[index])
      .map((index) => ({ class: spec.classes[index], score: rounded(scores.data[index], 4) }));
    return { form: spec.form, classes };
  },
  boxes(spec, { boxes, count, labels, scores }, image, width, height) {
    const found = [];
    for (let row = 0; row < Number(count.data[0]); row++) {
      const sides = Array.from(boxes.data.slice(row * 4, row * 4 + 4));
      const factors = [image.width / width, image.height / height];
      found.push({
        class: spec.classes[Number(labels.data[row])],
        score: rounded(scores.data[row], 4),
        xyxy: sides.map((side, index) => rounded(side * factors[index % 2], 2)),
      });
    }
    return { form: spec.form, boxes: found };
  },
  mask(spec, { labels }, image, width, height) {
    const counts = new Map();
    for (const index of labels.data) {
      counts.set(index, (counts.get(index) ?? 0) + 1);
    }
    const fractions = Object.fromEntries(
      spec.classes.map((name, index) => [name, rounded((counts.get(index) ?? 0) / labels.data.length, 6)]),
    );
    return { form: spec.form, size: [height, width], fractions, hidden: labels.data };
  },
  number(spec, { value }) {
    return { form: spec.form, value: Number(value.data[0].toPrecision(6)), unit: spec.unit };
  },
  map(spec, { values }, image, width, height) {
    const channels = [];
    for (let start = 0; start < values.data.length; start += width * height) {
      channels.push(summary(values.data.slice(start, start + width * height)));
    }
    return { form: spec.form, size: [height, width], unit: spec.unit, channels, hidden: values.data };
  },
};

function rounded(value, digits) {
  return Number.isFinite(value) ? Number(value.toFixed(digits)) : null;
}

function summary(plane) {
  const finite = plane.filter(Number.isFinite).sort();
  if (!finite.length) {
    return { min: null, median: null, max: null };
  }
  const middle = finite.length / 2;
  const median = (finite[Math.ceil(middle) - 1] + finite[Math.floor(middle)]) / 2;
  return { min: finite[0], median, max: finite[finite.length - 1] };
}

function element(kind, text = "", classes = "") {
  const made = document.createElement(kind);
  made.textContent = text;
  made.className = classes;
  return made;
}

function css([red, green, blue]) {
  return `rgb(${red}, ${green}, ${blue})`;
}

function legend(entries) {
  const list = element("ul", "", "legend");
  for (const [color, text] of entries) {
    const item = element("li", text);
    if (color) {
      const key = element("span", "", "key");
      key.style.background = css(color);
      item.prepend(key);
    }
    list.append(item);
  }
  return list;
}

function canvasOf(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

// A canvas of the image that is at most 1024 pixels wide or high, and at least 512.
function canvasOfImage(image) {
  const side = Math.max(image.width, image.height);
  const factor = Math.min(1, 1024 / side) * Math.max(1, 512 / Math.max(side, 1));
  const canvas = canvasOf(Math.max(1, Math.round(image.width * factor)), Math.max(1, Math.round(image.height * factor)));
  canvas.getContext("2d").drawImage(image.bitmap, 0, 0, canvas.width, canvas.height);
  return canvas;
}

const DRAWERS = {
  category(spec, prediction) {
    const parts = [element("div", prediction.class, "value")];
    for (const { class: name, score } of prediction.top) {
      const bar = element("div", "", "bar");
      const progress = element("progress");
      progress.value = score ?? 0;
      bar.append(element("span", name), element("span", score?.toFixed(3) ?? ""), progress);
      parts.push(bar);
    }
    return parts;
  },
  categories(spec, prediction) {
    const entries = prediction.classes.map(({ class: name, score }) =>
      [spec.colors[spec.classes.indexOf(name)], `${name} ${score.toFixed(2)}`]);
    return [legend(entries.length ? entries : [[null, "none of the classes"]])];
  },
  boxes(spec, prediction, image) {
    const holder = element("div");
    const slider = element("label", "smallest score ", "slider");
    const input = element("input");
    Object.assign(input, { type: "range", min: spec.score_threshold, max: 1, step: 0.01, value: spec.draw_threshold });
    const shown = element("output");
    slider.append(input, shown);
    const draw = () => {
      const threshold = Number(input.value);
      shown.textContent = threshold.toFixed(2);
      const boxes = prediction.boxes.filter(({ score }) => score >= threshold);
      holder.replaceChildren(canvasWithBoxes(spec, boxes, image), boxLegend(spec, boxes, prediction.boxes.length));
    };
    input.addEventListener("input", draw);
    draw();
    return [holder, slider];
  },
  mask(spec, prediction, image) {
    const [height, width] = prediction.size;
    const picture = canvasOf(width, height);
    const pen = picture.getContext("2d");
    pen.drawImage(image.bitmap, 0, 0, width, height);
    const pixels = pen.getImageData(0, 0, width, height);
    for (let index = 0; index < prediction.hidden.length; index++) {
      const label = prediction.hidden[index];
      if (spec.classes[label] !== "background") {
        for (let band = 0; band < 3; band++) {
          const at = index * 4 + band;
          pixels.data[at] = pixels.data[at] * (1 - OPACITY) + spec.colors[label][band] * OPACITY;
        }
      }
    }
    pen.putImageData(pixels, 0, 0);
    const present = Object.entries(prediction.fractions).filter((entry) => entry[1] > 0).sort((a, b) => b[1] - a[1]);
    return [picture, legend(present.map(([name, share]) => [
      name === "background" ? null : spec.colors[spec.classes.indexOf(name)],
      `${name} ${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`,
    ]))];
  },
  number(spec, prediction) {
    return [element("div", `${Number(prediction.value.toPrecision(4))} ${prediction.unit}`, "value")];
  },
  map(spec, prediction) {
    const [height, width] = prediction.size;
    const size = width * height;
    const finite = prediction.channels.filter((channel) => channel.min !== null);
    const low = Math.min(...finite.map((channel) => channel.min));
    const high = Math.max(...finite.map((channel) => channel.max));
    const picture = canvasOf(width, height);
    const pen = picture.getContext("2d");
    const pixels = pen.createImageData(width, height);
    const count = prediction.channels.length;
    for (let index = 0; index < size; index++) {
      const scaled = Array.from({ length: count }, (_, channel) =>
        (prediction.hidden[channel * size + index] - low) / (high > low ? high - low : 1));
      const color = !scaled.every(Number.isFinite) ? [128, 128, 128]
        : count === 3 ? scaled.map((value) => Math.round(value * 255))
          : viridis(scaled.reduce((sum, value) => sum + value, 0) / count);
      pixels.data.set([...color, 255], index * 4);
    }
    pen.putImageData(pixels, 0, 0);
    const ends = element("div", "", "ends");
    const unit = prediction.unit ? ` ${prediction.unit}` : "";
    ends.append(element("span", `${low.toPrecision(3)}${unit}`), element("span", `${high.toPrecision(3)}${unit}`));
    return count === 3 ? [picture, ends] : [picture, scaleBar(), ends];
  },
};

function canvasWithBoxes(spec, boxes, image) {
  const canvas = canvasOfImage(image);
  const pen = canvas.getContext("2d");
  const size = Math.max(13, Math.round(Math.max(canvas.width, canvas.height) / 30));
  pen.font = `600 ${size}px system-ui, sans-serif`;
  pen.textBaseline = "middle";
  const [across, down] = [canvas.width / image.width, canvas.height / image.height];
  for (const { class: name, score, xyxy } of [...boxes].reverse()) {
    const color = spec.colors[spec.classes.indexOf(name)];
    const [left, top, right, bottom] = xyxy.map((side, index) => side * (index % 2 ? down : across));
    pen.strokeStyle = css(color);
    pen.lineWidth = Math.max(2, size / 6);
    pen.strokeRect(left, top, right - left, bottom - top);
    const text = `${name} ${score.toFixed(2)}`;
    const width = pen.measureText(text).width + size / 2;
    const x = Math.max(0, Math.min(left, canvas.width - width));
    const y = top >= size * 1.4 ? top - size * 1.4 : top;
    pen.fillStyle = css(color);
    pen.fillRect(x, y, width, size * 1.4);
    pen.fillStyle = 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2] > 140 ? "#000" : "#fff";
    pen.fillText(text, x + size / 4, y + size * 0.72);
  }
  return canvas;
}

function boxLegend(spec, boxes, total) {
  const counts = new Map();
  for (const { class: name } of boxes) {
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const entries = [...counts].sort((a, b) => b[1] - a[1])
    .map(([name, number]) => [spec.colors[spec.classes.indexOf(name)], `${number} x ${name}`]);
  const hidden = total - boxes.length;
  return legend(hidden || !entries.length ? [...entries, [null, hidden ? `${hidden} below` : "no boxes"]] : entries);
}

function viridis(value) {
  const steps = settings.viridis;
  const at = Math.min(Math.max(value, 0), 1) * (steps.length - 1);
  const low = Math.min(Math.floor(at), steps.length - 2);
  return steps[low].map((part, band) => Math.round(part + (steps[low + 1][band] - part) * (at - low)));
}

function scaleBar() {
  const canvas = canvasOf(256, 1);
  canvas.className = "scale";
  const pen = canvas.getContext("2d");
  for (let index = 0; index < 256; index++) {
    pen.fillStyle = css(viridis(index / 255));
    pen.fillRect(index, 0, 1, 1);
  }
  return canvas;
}

function card(title, parts) {
  const made = element("section", "", "card");
  made.append(element("h2", title), ...parts);
  return made;
}

function show(name, image, predictions, milliseconds) {
  const cards = [card("input", [canvasOfImage(image)])];
  for (const [task, prediction] of Object.entries(predictions)) {
    const spec = settings.tasks[task];
    const made = card(task, DRAWERS[spec.form](spec, prediction, image));
    made.dataset.task = task;
    cards.push(made);
  }
  results.replaceChildren(...cards);
  const tasks = Object.fromEntries(
    Object.entries(predictions).map(([task, { hidden: _, ...content }]) => [task, content]),
  );
  const entry = { image: name, size: [image.height, image.width], tasks };
  json.querySelector("pre").textContent = JSON.stringify(entry, null, 2);
  json.hidden = false;
  const note = image.isTransparent ? ". It has transparent pixels: mtlsearch predict may read other colors" : "";
  say(`${name}: ${image.width} x ${image.height} pixels, predicted in ${Math.round(milliseconds)} ms${note}`);
}

let pending = Promise.resolve();

function enqueue(file) {
  pending = pending.then(() => handle(file)).catch((error) => say(`${file.name}: ${error.message}`, true));
}

async function handle(file) {
  say(`${file.name}: reading`);
  let image;
  try {
    image = await readPixels(file);
  } catch {
    throw new Error("this browser cannot read the file as an image");
  }
  say(`${file.name}: predicting`);
  const start = performance.now();
  const predictions = await predict(await session, image);
  show(file.name, image, predictions, performance.now() - start);
}

const drop = document.getElementById("drop");
const input = document.getElementById("file");
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  drop.classList.add("over");
});
document.addEventListener("dragleave", () => drop.classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  [...event.dataTransfer.files].slice(0, 1).forEach(enqueue);
});
input.addEventListener("change", () => [...input.files].forEach(enqueue));

say("The network is loading ...");
const session = open();
session.then(() => say("The network is ready."), (error) => say(`The network cannot be loaded: ${error.message}`, true));
