function buildMicroscope(page) {
  const { setup } = page;
  const WIDTH = 280; // largest width of the two pictures, in CSS pixels
  let data = null;
  let geometry = { scale: 1, pad: 0 };
  let brush = { row: 0, column: 0, value: 1, isDown: false };

  const presets = page.presets();

  // ---- controls
  const input = page.select("input", {
    label: "input",
    options: setup.inputs.map((name) => [name, name]),
    onchange: (value) => (value === "drawing" ? { pixels: currentPixels() } : {}),
  });
  const clear = h(
    "button",
    { type: "button", onclick: (e) => {
      page.change({ input: "drawing", pixels: Array(28 * 28).fill(0) }, e);
      page.synchronize();
    } },
    "clear and draw",
  );
  const sideId = newId("side");
  const side = h(
    "select",
    { id: sideId, onchange: (event) => resize(Number(side.value), event) },
    ...setup.sides.map((k) => h("option", { value: k }, `${k} × ${k}`)),
  );
  const kernel = h("div", { class: "ce-kernel", role: "group", "aria-label": "kernel values" });
  const sliders = ["stride", "padding", "dilation"].map((name) =>
    page.slider(name, { label: name, min: setup.limits[name][0], max: setup.limits[name][1] }),
  );

  function resize(k, event) {
    const old = page.state.kernel;
    const shift = (k - old.length) / 2; // the middle stays where it is
    const values = Array.from({ length: k }, (_, i) =>
      Array.from({ length: k }, (_, j) => old[i - shift]?.[j - shift] ?? 0),
    );
    page.change({ kernel: values }, event);
    page.synchronize();
  }
  page.follow((state) => {
    const k = state.kernel.length;
    side.value = String(k);
    if (kernel.dataset.side !== String(k)) {
      kernel.dataset.side = String(k);
      kernel.style.gridTemplateColumns = `repeat(${k}, auto)`;
      kernel.replaceChildren(
        ...Array.from({ length: k * k }, (_, index) => {
          const [i, j] = [Math.floor(index / k), index % k];
          return h("input", {
            type: "number", step: "any", min: -99, max: 99,
            "aria-label": `kernel, row ${i}, column ${j}`,
            oninput: (event) => edit(i, j, event),
            onkeydown: (event) => nudge(i, j, event),
          });
        }),
      );
    }
    [...kernel.children].forEach((cell, index) => {
      const value = state.kernel[Math.floor(index / k)][index % k];
      if (document.activeElement !== cell || Number(cell.value) !== value) cell.value = value;
    });
  });
  function edit(i, j, event) {
    const value = Number(event.target.value);
    if (event.target.value === "" || !Number.isFinite(value)) return; // still typing
    const values = page.state.kernel.map((row) => [...row]);
    values[i][j] = value;
    page.change({ kernel: values }, event);
  }
  function nudge(i, j, event) {
    if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
    event.preventDefault();
    const step = event.shiftKey ? 1 : 0.1;
    const moved = page.state.kernel[i][j] + (event.key === "ArrowUp" ? step : -step);
    event.target.value = Math.round(Math.min(99, Math.max(-99, moved)) * 1000) / 1000;
    edit(i, j, event);
  }

  // ---- pictures
  const inputCanvas = h("canvas", {
    tabindex: 0, role: "application", class: "ce-input",
    "aria-label": "input image: arrow keys move the brush, space paints or erases",
  });
  const outputCanvas = h("canvas", {
    tabindex: 0, role: "application", class: "ce-output",
    "aria-label": "output image: arrow keys choose the output pixel whose window is shown",
  });
  const inputCaption = h("figcaption");
  const outputCaption = h("figcaption");
  const scaleNote = h("p", { class: "ce-hint" });
  const sum = h("p", { class: "ce-sum ce-mono", role: "status" });
  const products = h("table", { class: "ce-products ce-mono" });
  const arithmetic = h("p", { class: "ce-arithmetic ce-mono" });
  const facts = h("p", { class: "ce-hint ce-facts" });
  const verdict = h("p", { class: "ce-verdict", role: "status", hidden: true });

  const currentPixels = () => data.image.flat();

  function paint(row, column, event) {
    const n = data.image.length;
    if (row < 0 || column < 0 || row >= n || column >= n) return;
    const pixels = page.state.input === "drawing" && page.state.pixels ? [...page.state.pixels] : currentPixels();
    if (pixels.length !== n * n) return; // another image is on its way
    pixels[row * n + column] = brush.value;
    data.image[row][column] = brush.value; // seen at once; Python's picture follows
    page.change({ input: "drawing", pixels }, event);
    page.synchronize();
    drawInput();
  }
  function at(canvas, event) {
    const box = canvas.getBoundingClientRect();
    const pad = canvas === inputCanvas ? geometry.pad : 0;
    return [event.clientY - box.top, event.clientX - box.left].map(
      (distance) => Math.floor(distance / geometry.scale) - pad,
    );
  }
  inputCanvas.addEventListener("pointerdown", (event) => {
    const [row, column] = at(inputCanvas, event);
    if (data.image[row]?.[column] === undefined) return;
    inputCanvas.setPointerCapture(event.pointerId);
    brush = { row, column, value: data.image[row][column] > 0.5 ? 0 : 1, isDown: true };
    paint(row, column, event);
  });
  inputCanvas.addEventListener("pointermove", (event) => {
    if (!brush.isDown) return;
    const [row, column] = at(inputCanvas, event);
    if (row === brush.row && column === brush.column) return;
    Object.assign(brush, { row, column });
    paint(row, column, event);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    inputCanvas.addEventListener(end, () => {
      brush.isDown = false;
    });
  }
  const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  inputCanvas.addEventListener("keydown", (event) => {
    const n = data.image.length;
    const step = ARROWS[event.key];
    if (step) {
      brush.row = Math.min(n - 1, Math.max(0, brush.row + step[0]));
      brush.column = Math.min(n - 1, Math.max(0, brush.column + step[1]));
      drawInput();
    } else if (event.key === " " || event.key === "Enter") {
      brush.value = data.image[brush.row][brush.column] > 0.5 ? 0 : 1;
      paint(brush.row, brush.column, event);
    } else return;
    event.preventDefault();
  });
  for (const type of ["focus", "blur"]) inputCanvas.addEventListener(type, () => data && drawInput());

  // The cell looked at; one that no longer exists was moved to the nearest that does.
  const here = () => (page.root.dataset.busy === "true" ? page.state.cell : data.window.cell);
  function look(row, column, event) {
    const last = data.settings.size - 1;
    const cell = [row, column].map((value) => Math.min(last, Math.max(0, value)));
    if (cell[0] === here()[0] && cell[1] === here()[1]) return;
    page.change({ cell }, event);
  }
  for (const type of ["pointermove", "pointerdown"]) {
    outputCanvas.addEventListener(type, (event) => look(...at(outputCanvas, event), event));
  }
  outputCanvas.addEventListener("keydown", (event) => {
    const step = ARROWS[event.key];
    if (!step) return;
    event.preventDefault();
    look(here()[0] + step[0], here()[1] + step[1], event);
  });

  // ---- the layer as a matrix
  const matrixCanvas = h("canvas", { role: "img", class: "ce-matrix" });
  const matrixText = h("p", { class: "ce-hint" });
  const details = h(
    "details",
    { ontoggle: (event) => {
      if (details.open !== page.state.show_matrix) page.change({ show_matrix: details.open }, event);
    } },
    h("summary", {}, "As a matrix"),
    matrixText,
    h("div", { class: "ce-scroll" }, matrixCanvas),
  );
  page.follow((state) => {
    details.open = state.show_matrix;
  });

  page.body.append(
    presets,
    h(
      "div", { class: "ce-row ce-pictures" },
      h(
        "div", { class: "ce-column ce-settings" },
        input, clear,
        h("div", { class: "ce-control" }, h("label", { for: sideId }, "kernel"), side),
        kernel, ...sliders,
      ),
      h("figure", {}, inputCaption, inputCanvas),
      h("figure", {}, outputCaption, outputCanvas, scaleNote),
    ),
    arithmetic, facts, verdict, sum,
    h("div", { class: "ce-scroll" }, products),
    details,
  );

  // ---- drawing
  function drawInput() {
    const colours = palette(page.root);
    const { n, padding, kernel_size: k, dilation, span } = data.settings;
    const { scale } = geometry;
    const whole = (n + 2 * padding) * scale;
    const context = prepare(inputCanvas, whole, whole);
    if (padding > 0) {
      // The ring of zeros, hatched: it belongs to the layer, not to the image.
      context.strokeStyle = colours.line;
      context.lineWidth = 1;
      context.beginPath();
      for (let x = -whole; x < whole; x += 7) {
        context.moveTo(x, 0);
        context.lineTo(x + whole, whole);
      }
      context.stroke();
    }
    const corner = padding * scale;
    data.image.forEach((row, i) =>
      row.forEach((value, j) => {
        context.fillStyle = colours.grey(value);
        context.fillRect(corner + j * scale, corner + i * scale, scale, scale);
      }),
    );
    context.strokeStyle = colours.line;
    context.lineWidth = 1;
    context.strokeRect(corner + 0.5, corner + 0.5, n * scale - 1, n * scale - 1);

    const { rows, columns } = data.window;
    context.strokeStyle = "#009e73";
    context.lineWidth = 2;
    context.strokeRect(columns[0] * scale, rows[0] * scale, span * scale, span * scale);
    if (dilation > 1 && k > 1) {
      for (const r of rows) for (const c of columns) {
        context.strokeRect(c * scale + 1, r * scale + 1, scale - 2, scale - 2);
      }
    }
    if (document.activeElement === inputCanvas) {
      context.setLineDash([3, 2]);
      context.strokeStyle = colours.accent;
      context.strokeRect(corner + brush.column * scale, corner + brush.row * scale, scale, scale);
      context.setLineDash([]);
    }
  }
  function drawOutput() {
    const colours = palette(page.root);
    const { size } = data.settings;
    const { scale } = geometry;
    const context = prepare(outputCanvas, size * scale, size * scale);
    const finite = data.output.flat().filter((value) => value !== null);
    const limit = Math.max(0, ...finite.map(Math.abs));
    data.output.forEach((row, i) =>
      row.forEach((value, j) => {
        context.fillStyle = value === null ? "#cc79a7" : colours.signed(value, limit);
        context.fillRect(j * scale, i * scale, scale, scale);
      }),
    );
    context.strokeStyle = colours.line;
    context.lineWidth = 1;
    context.strokeRect(0.5, 0.5, size * scale - 1, size * scale - 1);
    const [row, column] = data.window.cell;
    context.strokeStyle = "#009e73";
    context.lineWidth = 2;
    context.strokeRect(column * scale, row * scale, scale, scale);
    scaleNote.textContent =
      finite.length < size * size
        ? "Pink: not a finite number."
        : `Blue negative, orange positive, up to ±${format(limit, 2)}.`;
  }
  function drawWindow() {
    const { cell, values, inside, sum: total, output } = data.window;
    const weights = page.state.kernel;
    if (weights.length !== values.length) return; // an answer to the previous kernel
    products.replaceChildren(
      ...values.map((row, i) =>
        h("tr", {}, ...row.map((value, j) =>
          h(
            "td", { class: inside[i][j] ? "" : "ce-outside" },
            `${format(value, 2)} × ${format(weights[i][j], 3)}`,
          ),
        )),
      ),
    );
    sum.textContent =
      `Output at row ${cell[0]}, column ${cell[1]}: sum of pixel × weight = ${format(total, 3)}` +
      (output === null || Math.abs(output - total) > 2e-3 ? `, yours is ${format(output, 3)}` : "");
  }
  function drawMatrix() {
    if (!data.matrix) return;
    const colours = palette(page.root);
    const { values, shape, text, n, size } = data.matrix;
    const scale = Math.max(3, Math.min(12, Math.floor(820 / shape[1])));
    const context = prepare(matrixCanvas, shape[1] * scale, values.length * scale);
    const limit = Math.max(0, ...values.flat().map(Math.abs));
    values.forEach((row, i) =>
      row.forEach((value, j) => {
        context.fillStyle = colours.signed(value, limit);
        context.fillRect(j * scale, i * scale, scale, scale);
      }),
    );
    context.strokeStyle = colours.line;
    context.lineWidth = 1;
    const [width, height] = [shape[1] * scale, values.length * scale];
    for (let j = n; j < shape[1]; j += n) context.strokeRect(j * scale + 0.5, 0, 0, height);
    for (let i = size; i < values.length; i += size) context.strokeRect(0, i * scale + 0.5, width, 0);
    context.strokeRect(0.5, 0.5, width - 1, height - 1);
    matrixText.textContent = `${text} Lines separate rows of the two images.`;
    matrixCanvas.setAttribute("aria-label", text);
  }

  return (answer) => {
    data = structuredClone(answer);
    const { n, size, padding } = data.settings;
    geometry = { scale: Math.max(4, Math.floor(WIDTH / Math.max(n + 2 * padding, size))), pad: padding };
    inputCaption.textContent = `Input, ${n} × ${n}${padding ? `, and ${padding} of padding` : ""}`;
    outputCaption.textContent = `Output, ${size} × ${size}`;
    arithmetic.textContent = data.arithmetic;
    facts.textContent = data.facts;
    verdict.hidden = !data.verdict;
    verdict.textContent = data.verdict?.text ?? "";
    verdict.dataset.agrees = String(data.verdict?.agrees ?? "");
    drawInput();
    drawOutput();
    drawWindow();
    drawMatrix();
  };
}

export default { render: (context) => mount(context, "microscope", buildMicroscope) };
