function buildDescentRace(page) {
  const { setup } = page;
  const SIZE = 304; // of the picture, in CSS pixels
  const DASHES = [[], [7, 4], [2, 3], [10, 3, 2, 3]];
  const N_LINES = 20;
  const HEIGHT = 304; // of the chart, whose width is what is left
  let data = null;
  let timer = 0;

  const presets = page.presets();
  const surface = page.select("surface", {
    label: "loss of", options: setup.surfaces,
    onchange: (value) => ({ start: setup.starts[value] }),
  });
  const { rates } = setup;
  const nearest = (value) =>
    rates.reduce((best, other, i) => (Math.abs(other - value) < Math.abs(rates[best] - value) ? i : best), 0);
  const rate = page.slider("learning_rate", {
    label: "learning rate", min: 0, max: rates.length - 1, write: brief,
    read: (position) => rates[position], place: nearest,
  });
  const momentum = page.slider("momentum", {
    label: "momentum", min: setup.momenta[0], max: setup.momenta[1], step: 0.02,
    write: (value) => format(value, 2),
  });
  const batch = page.select("batch", { label: "batch", options: setup.batches });
  const steps = page.slider("n_steps", { label: "steps", min: 1, max: setup.most_steps });
  const play = h(
    "button",
    { type: "button", class: "ce-play", onclick: (event) => (timer ? stop() : start(event)) },
    "run the race",
  );
  for (const control of [presets, surface, rate, momentum, batch, steps]) {
    for (const type of ["input", "click"]) control.addEventListener(type, () => stop());
  }
  function start(event) {
    play.textContent = "stop";
    jump(1, event);
    timer = setInterval(() => {
      if (page.root.dataset.busy === "true") return;
      if (page.state.n_steps >= setup.most_steps) stop();
      else jump(page.state.n_steps + 1);
    }, 60);
  }
  function jump(n_steps, event) {
    page.change({ n_steps }, event);
    page.synchronize();
  }
  function stop() {
    clearInterval(timer);
    timer = 0;
    play.textContent = "run the race";
  }

  // ---- the picture: a click or an arrow key moves the start
  const canvas = h("canvas", {
    tabindex: 0, role: "application", class: "ce-ground",
    "aria-label": "the loss over two weights: click or arrow keys move the start of the race",
  });
  const ground = () => setup.grounds[page.state.surface];
  let isDown = false;
  function begin(point, event) {
    const { span } = ground();
    const kept = point.map((value, k) =>
      Number(Math.min(span[k][1], Math.max(span[k][0], value)).toFixed(3)));
    if (JSON.stringify(kept) !== JSON.stringify(page.state.start)) page.change({ start: kept }, event);
  }
  function under(event) {
    const { span } = ground();
    const box = canvas.getBoundingClientRect();
    const share = [(event.clientX - box.left) / box.width, 1 - (event.clientY - box.top) / box.height];
    return share.map((value, k) => span[k][0] + value * (span[k][1] - span[k][0]));
  }
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    isDown = true;
    begin(under(event), event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (isDown) begin(under(event), event);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, () => { isDown = false; });
  }
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowUp: [0, 1], ArrowDown: [0, -1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[event.key];
    if (!step) return;
    event.preventDefault();
    const { span } = ground();
    begin(page.state.start.map((value, k) => value + (step[k] * (span[k][1] - span[k][0])) / 60), event);
  });

  const chart = s("svg", { class: "ce-chart", role: "img" });
  const ends = h("ul", { class: "ce-ends", role: "status" });
  const text = h("p", { class: "ce-hint ce-limit" });
  const note = h("p", { class: "ce-hint" });
  const verdict = h("p", { class: "ce-verdict", role: "status", hidden: true });
  const caption = h("figcaption");
  page.body.append(
    presets,
    h(
      "div", { class: "ce-row ce-pictures" },
      h("div", { class: "ce-column ce-settings" }, surface, rate, momentum, batch, steps, play, note),
      h("figure", {}, caption, canvas),
      h("div", { class: "ce-losses" }, h("p", { class: "ce-title" }, "Loss against step"), chart),
    ),
    ends, text, verdict,
  );

  /** Where a level crosses the cells of the grid, as pairs of points in grid coordinates. */
  function contour(heights, level) {
    const pieces = [];
    for (let i = 0; i + 1 < heights.length; i++) {
      for (let j = 0; j + 1 < heights[i].length; j++) {
        const corners = [[i, j], [i, j + 1], [i + 1, j + 1], [i + 1, j]];
        const crossings = [];
        corners.forEach(([r, c], k) => {
          const [r2, c2] = corners[(k + 1) % 4];
          const [a, b] = [heights[r][c] - level, heights[r2][c2] - level];
          if (a < 0 === b < 0) return;
          const share = a / (a - b);
          crossings.push([c + share * (c2 - c), r + share * (r2 - r)]);
        });
        for (let k = 0; k + 1 < crossings.length; k += 2) pieces.push([crossings[k], crossings[k + 1]]);
      }
    }
    return pieces;
  }

  const backdrops = new Map(); // per surface and theme: shading and contour lines
  function backdrop(colours) {
    const key = `${page.state.surface} ${colours.grey(0)}`;
    if (backdrops.has(key)) return backdrops.get(key);
    const { heights } = ground();
    const n = heights.length;
    const flat = heights.flat();
    const [low, high] = [Math.min(...flat), Math.max(...flat)];
    const small = document.createElement("canvas");
    small.width = small.height = n;
    const cells = small.getContext("2d");
    heights.forEach((row, i) => row.forEach((value, j) => {
      cells.fillStyle = colours.grey(0.4 * Math.sqrt((value - low) / (high - low)));
      cells.fillRect(j, n - 1 - i, 1, 1);
    }));
    const large = document.createElement("canvas");
    const context = prepare(large, SIZE, SIZE);
    const cell = SIZE / (n - 1);
    context.imageSmoothingQuality = "high";
    context.drawImage(small, -cell / 2, -cell / 2, SIZE + cell, SIZE + cell);
    context.strokeStyle = colours.grey(0.45);
    context.lineWidth = 0.8;
    context.beginPath();
    const gap = [0.05, 0.1, 0.2, 0.25, 0.5, 1].find((step) => (high - low) / step <= N_LINES) ?? 2;
    for (let level = Math.ceil(low / gap) * gap; level < high; level += gap) {
      for (const [[x1, y1], [x2, y2]] of contour(heights, level)) {
        context.moveTo(x1 * cell, SIZE - y1 * cell);
        context.lineTo(x2 * cell, SIZE - y2 * cell);
      }
    }
    context.stroke();
    backdrops.set(key, { large, gap });
    return backdrops.get(key);
  }

  function drawGround(colours) {
    const { span, lowest, axes } = ground();
    const { large, gap } = backdrop(colours);
    const context = prepare(canvas, SIZE, SIZE);
    context.drawImage(large, 0, 0, SIZE, SIZE);
    const place = ([a, b]) => [
      ((a - span[0][0]) / (span[0][1] - span[0][0])) * SIZE,
      SIZE - ((b - span[1][0]) / (span[1][1] - span[1][0])) * SIZE,
    ];
    const cross = ([x, y], size) => {
      context.beginPath();
      context.moveTo(x - size, y - size);
      context.lineTo(x + size, y + size);
      context.moveTo(x - size, y + size);
      context.lineTo(x + size, y - size);
      context.stroke();
    };
    context.strokeStyle = colours.grey(1);
    context.lineWidth = 1.2;
    context.beginPath();
    context.arc(...place(lowest), 7, 0, 2 * Math.PI);
    context.stroke();
    data.racers.forEach(({ path }, i) => {
      context.strokeStyle = colours.hues[i];
      context.lineWidth = 2;
      context.setLineDash(DASHES[i]);
      context.beginPath();
      path.forEach((point, k) => context[k ? "lineTo" : "moveTo"](...place(point)));
      context.stroke();
      context.setLineDash([]);
      marker(context, i, place(path.at(-1)), colours.hues[i]);
    });
    context.strokeStyle = colours.grey(1);
    context.lineWidth = 2.4;
    cross(place(data.start), 5);
    caption.textContent = "Paths over the loss";
    note.textContent = `${ground().note} Across: ${axes[0]}, ${span[0].map((v) => format(v, 1)).join(" to ")}; `
      + `up: ${axes[1]}, ${span[1].map((v) => format(v, 1)).join(" to ")}. A line every ${gap} bits, grey is `
      + "high. Cross: start, ring: lowest place.";
  }
  /** A circle, a square, a triangle, a diamond: where a racer stands. */
  function marker(context, i, [x, y], colour) {
    const shape = [null, [[-1, -1], [1, -1], [1, 1], [-1, 1]], [[0, -1.3], [1.2, 1], [-1.2, 1]],
      [[0, -1.4], [1.4, 0], [0, 1.4], [-1.4, 0]]][i];
    context.beginPath();
    if (shape === null) context.arc(x, y, 5, 0, 2 * Math.PI);
    else shape.forEach(([a, b], k) => context[k ? "lineTo" : "moveTo"](x + 5 * a, y + 5 * b));
    context.closePath();
    context.fillStyle = colour;
    context.fill();
  }

  function drawChart(colours) {
    const width = Math.max(180, chart.parentNode.clientWidth);
    chart.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    const left = 34, right = width - 12, top = 8, bottom = HEIGHT - 36;
    const n = Math.max(2, data.settings.n_steps);
    const highest = 1.3 * data.racers[0].bits[0];
    const x = (step) => left + ((right - left) * step) / n;
    const y = (bits) => bottom - ((bottom - top) * Math.min(bits, 3 * highest)) / highest;
    const clip = newId("clip");
    const parts = [s("clipPath", { id: clip }, s("rect", { x: left, y: top, width: right - left, height: bottom - top }))];
    for (const tick of roundSteps(highest)) {
      parts.push(
        s("path", { class: "ce-grid", d: `M${left} ${y(tick)}H${right}` }),
        s("text", { x: left - 5, y: y(tick) + 4, "text-anchor": "end" }, format(tick, 2)),
      );
    }
    for (const tick of roundSteps(n).filter((value) => Number.isInteger(value))) {
      parts.push(s("text", { x: x(tick), y: bottom + 16, "text-anchor": "middle" }, format(tick)));
    }
    parts.push(
      s("path", { class: "ce-axis", d: `M${left} ${top}V${bottom}H${right}` }),
      s("text", { x: (left + right) / 2, y: HEIGHT - 4, "text-anchor": "middle" }, "step"),
      s("text", { x: right, y: top + 10, "text-anchor": "end" }, ground().unit),
    );
    data.racers.forEach(({ bits }, i) => {
      const line = bits.map((value, k) => `${x(k).toFixed(1)} ${y(value).toFixed(1)}`).join("L");
      parts.push(s("path", {
        class: "ce-curve", d: `M${line}`, fill: "none", stroke: colours.hues[i], "stroke-width": 2,
        "stroke-dasharray": DASHES[i].join(" "), "clip-path": `url(#${clip})`,
      }));
    });
    chart.replaceChildren(...parts);
    chart.setAttribute("aria-label", `loss against step: ${words().join("; ")}`);
  }
  const words = () => data.racers.map((racer) => `${racer.name}: ${racer.words}`);

  let drawnEnds = ""; // the racers and colours that the lines below the picture were made for
  function drawEnds(colours) {
    const made = data.racers.map((racer, i) => racer.name + colours.hues[i]).join();
    if (made !== drawnEnds) {
      ends.replaceChildren(...data.racers.map((racer, i) => {
        const sample = h("canvas", { class: "ce-sample", "aria-hidden": "true" });
        const context = prepare(sample, 44, 14);
        context.strokeStyle = colours.hues[i];
        context.lineWidth = 2;
        context.setLineDash(DASHES[i]);
        context.beginPath();
        context.moveTo(0, 7);
        context.lineTo(38, 7);
        context.stroke();
        context.setLineDash([]);
        marker(context, i, [37, 7], colours.hues[i]);
        return h("li", {}, sample, h("b", {}, racer.name), h("span"));
      }));
      drawnEnds = made;
    }
    data.racers.forEach((racer, i) => {
      ends.children[i].classList.toggle("ce-out", racer.is_out);
      ends.children[i].lastChild.textContent = racer.words;
    });
  }

  return (answer) => {
    data = answer;
    const colours = palette(page.root);
    drawGround(colours);
    drawChart(colours);
    drawEnds(colours);
    text.textContent = data.text;
    verdict.hidden = !data.verdict;
    verdict.textContent = data.verdict?.text ?? "";
    verdict.dataset.agrees = String(data.verdict?.agrees ?? "");
  };
}

export default { render: (context) => mount(context, "race", buildDescentRace) };
