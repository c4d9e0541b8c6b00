// Shared by all explorables: the round trip to Python, the controls, colours, time stamps.

// The course's blue, orange, green and pink, lighter ones on dark paper.
const HUES = {
  light: [[0, 114, 178], [213, 94, 0], [0, 128, 96], [176, 72, 132]],
  dark: [[86, 180, 233], [230, 159, 0], [64, 196, 156], [236, 150, 200]],
};
const PATIENCE = 1500; // ms until the page says that it waits for the kernel
const FOCUSABLE = ["button", "canvas", "input", "select", "summary"];
const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** An HTML element: h("p", {class: "x", onclick: f}, "text", child). */
function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  // JupyterLab would take arrow keys and letters as commands; it looks at the focused element alone.
  if (FOCUSABLE.includes(tag)) node.setAttribute("data-lm-suppress-shortcuts", "true");
  return fill(node, attributes, children);
}

/** An SVG element, the same way. */
function s(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

let nextId = 0;
const newId = (word) => `ce-${word}-${++nextId}`;

/** 1234.5 -> "1,234.5", with a real minus sign. */
function format(value, digits = 0) {
  if (value === null || !Number.isFinite(value)) return "not a number";
  const text = Math.abs(value).toLocaleString("en-US", { maximumFractionDigits: digits });
  return value < 0 && Number(text.replaceAll(",", "")) !== 0 ? `−${text}` : text;
}

/** Three significant digits, two of a small number: -0.12345 -> "−0.123", 0.0000123 -> "1.2e−5". */
function brief(value) {
  if (value === null || !Number.isFinite(value)) return "not a number";
  if (value === 0) return "0";
  const text = Math.abs(value) < 1e-3 || Math.abs(value) >= 1e4
    ? value.toExponential(1).replace("+", "")
    : String(Number(value.toPrecision(Math.abs(value) < 0.01 ? 2 : 3)));
  return text.replaceAll("-", "−");
}

/** Up to seven round numbers from 0 to `largest`. */
function roundSteps(largest) {
  const rough = largest / 6;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((m) => m >= rough);
  return Array.from({ length: Math.floor(largest / step) + 1 }, (_, i) => i * step);
}

function rgb(text) {
  const numbers = (text.match(/[\d.]+/g) ?? []).map(Number);
  return numbers.length >= 3 ? numbers.slice(0, 3) : [255, 255, 255];
}

function mix(from, to, share) {
  const t = Math.min(1, Math.max(0, share));
  return `rgb(${from.map((value, i) => Math.round(value + t * (to[i] - value))).join(",")})`;
}

/** Page colours as numbers, read anew at each drawing because the theme may have changed. */
function palette(root) {
  const style = getComputedStyle(root);
  const paper = rgb(style.backgroundColor);
  const ink = rgb(style.color);
  const isDark = paper[0] + paper[1] + paper[2] < ink[0] + ink[1] + ink[2];
  const hues = isDark ? HUES.dark : HUES.light;
  const [blue, orange] = hues;
  return {
    hues: hues.map((hue) => `rgb(${hue.join(",")})`),
    grey: (value) => mix(paper, ink, value),
    signed: (value, limit) =>
      mix(paper, value < 0 ? blue : orange, limit > 0 ? Math.abs(value) / limit : 0),
    line: style.getPropertyValue("--ce-line").trim() || "#888",
    accent: style.getPropertyValue("--ce-accent").trim() || "#888",
  };
}

/** Sizes a canvas for the screen's pixel density and returns its cleared 2-D context. */
function prepare(canvas, width, height) {
  const density = Math.max(1, window.devicePixelRatio || 1);
  canvas.width = Math.round(width * density);
  canvas.height = Math.round(height * density);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.setTransform(density, 0, 0, density, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

/** Gives a drawing the width that its place in the page has, and `size.right` eight pixels less. */
function stretch(svg, size) {
  const width = Math.max(220, svg.parentNode.clientWidth);
  size.right = width - 8;
  svg.setAttribute("viewBox", `0 0 ${width} ${size.height}`);
}

/**
 * Opens one view.  `build(page)` adds controls to `page.body` and returns `draw(data, state)`.
 *
 * A control calls `page.change({name: value}, event)`.  One request is under way at a time; what
 * changes meanwhile is sent when the answer is there, so that the latest state wins.  The root
 * element carries, for tests: data-first-paint (ms from opening to picture), data-painted-at, data-latencies (ms
 * from each input event to its picture), data-busy.
 */
function mount({ model, el }, name, build) {
  const opened = performance.now();
  const view = newId("view");
  const setup = model.get("setup");
  const body = h("div", { class: "ce-body" });
  const message = h("p", { class: "ce-message", role: "status", hidden: true });
  const root = h(
    "section",
    { class: `ce-root ce-${name}`, "aria-label": setup.question },
    h("p", { class: "ce-question" }, setup.question),
    body,
    message,
  );
  el.append(root);

  const synchronizers = []; // after a change that did not come from a control
  const watchers = []; // after every change
  const latencies = [];
  let state = adopt();
  let request = null; // asked for once, with the next message
  let underWay = null; // {turn, since}
  let waiting = null; // time of the first event that has not been sent
  let turn = 0;
  let patience = 0;

  function adopt() {
    const { turn: _turn, request: _request, ...rest } = model.get("state");
    return rest;
  }
  function afterPaint(then) {
    requestAnimationFrame(() => setTimeout(() => then(performance.now()), 0));
  }
  function say(text) {
    message.textContent = text;
    message.hidden = text === "";
  }
  function send(since) {
    underWay = { turn: `${view}.${++turn}`, since };
    root.dataset.busy = "true";
    model.set("state", { ...state, turn: underWay.turn, ...(request === null ? {} : { request }) });
    request = null;
    model.save_changes();
    clearTimeout(patience);
    patience = setTimeout(
      () => say("Waiting for the kernel: it runs another cell, or it has stopped."), PATIENCE,
    );
  }
  const page = {
    root, body, setup, view,
    get state() {
      return state;
    },
    change(values, event, wish = null) {
      state = { ...state, ...values };
      request = wish ?? request;
      for (const watch of watchers) watch(state);
      const since = event?.timeStamp > 0 ? event.timeStamp : performance.now();
      if (underWay === null) send(since);
      else waiting ??= since;
    },
    /** Calls `update(state)` now and whenever the state changes from elsewhere. */
    follow(update) {
      synchronizers.push(update);
      update(state);
    },
    /** Calls `watch(state)` now and after every change. */
    watch(watch) {
      watchers.push(watch);
      page.follow(watch);
    },
    synchronize() {
      for (const update of synchronizers) update(state);
    },
  };
  Object.assign(page, controls(page));

  const draw = build(page);
  function show(data) {
    root.classList.toggle("ce-failed", Boolean(data.error));
    say(data.error ?? "");
    if (!data.error) draw(data, state);
  }
  function onData() {
    const data = model.get("data");
    const isOurs = underWay !== null && data.turn === underWay.turn;
    if (isOurs || data.partial) clearTimeout(patience);
    if (underWay === null) {
      // Changed from Python or from another view of the same widget.
      state = adopt();
      page.synchronize();
    }
    if (isOurs || underWay === null || data.partial) show(data);
    if (!isOurs) return;
    const { since } = underWay;
    underWay = null;
    root.dataset.busy = "false";
    afterPaint((now) => {
      latencies.push(Math.round((now - since) * 10) / 10);
      root.dataset.latencies = JSON.stringify(latencies.slice(-500));
    });
    if (waiting !== null) {
      const first = waiting;
      waiting = null;
      send(first);
    }
  }
  model.on("change:data", onData);

  const redraw = () => show(model.get("data"));
  const theme = new MutationObserver(redraw);
  theme.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "class"] });

  root.dataset.latencies = "[]";
  root.dataset.busy = "false";
  // The style sheet and the element's place in the page are there one frame later.
  requestAnimationFrame(() => {
    redraw();
    afterPaint((now) => {
      root.dataset.paintedAt = String(now);
      root.dataset.firstPaint = String(Math.round((now - opened) * 10) / 10);
    });
  });
  return () => {
    model.off("change:data", onData);
    theme.disconnect();
    clearTimeout(patience);
  };
}

/** Labelled native controls, each bound to one entry of the state. */
function controls(page) {
  /** `read` makes the state's entry of the slider's position, `place` the position of an entry. */
  function slider(
    key, { label, min, max, step = 1, write = String, onchange = null, read = Number, place = Number },
  ) {
    const id = newId(key);
    const input = h("input", { id, type: "range", min, max, step, "data-key": key });
    const value = h("output", { for: id });
    const update = () => {
      value.textContent = write(read(Number(input.value)));
      input.setAttribute("aria-valuetext", value.textContent);
    };
    input.addEventListener("input", (event) => {
      update();
      page.change({ ...(onchange?.() ?? {}), [key]: read(Number(input.value)) }, event);
    });
    page.follow((state) => {
      input.value = place(state[key]);
      update();
    });
    return h("div", { class: "ce-control" }, h("label", { for: id }, label), input, value);
  }

  /** `options` are [value, text] pairs; `read` makes the state's entry of the chosen value. */
  function select(key, { label, options, onchange = null, read = String }) {
    const id = newId(key);
    const input = h(
      "select", { id, "data-key": key },
      ...options.map(([value, text]) => h("option", { value }, text)),
    );
    input.addEventListener("change", (event) => {
      page.change({ ...(onchange?.(input.value) ?? {}), [key]: read(input.value) }, event);
    });
    page.follow((state) => {
      input.value = state[key];
    });
    return h("div", { class: "ce-control" }, h("label", { for: id }, label), input);
  }

  /** Buttons that set several entries at once; the point of the one in force stands below. */
  function presets() {
    const point = h("p", { class: "ce-point", role: "status" });
    const matches = (preset) =>
      Object.entries(preset.state).every(
        ([key, value]) => JSON.stringify(page.state[key]) === JSON.stringify(value),
      );
    const buttons = page.setup.presets.map((preset) =>
      h(
        "button",
        {
          type: "button", class: "ce-preset", "data-preset": preset.name,
          onclick: (event) => {
            page.change(structuredClone(preset.state), event);
            page.synchronize();
          },
        },
        preset.name,
      ),
    );
    const mark = () => {
      const found = page.setup.presets.find(matches);
      buttons.forEach((button, i) => {
        button.setAttribute("aria-pressed", String(page.setup.presets[i] === found));
      });
      const text = found?.point ?? "A setting of your own.";
      if (point.textContent !== text) point.textContent = text;
    };
    page.watch(mark);
    return h(
      "div", { class: "ce-presets" },
      h("div", { role: "group", "aria-label": "presets", class: "ce-buttons" }, ...buttons),
      point,
    );
  }
  return { slider, select, presets };
}
