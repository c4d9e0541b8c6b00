function buildMapHonesty(page) {
  const { setup } = page;
  const SIDE = 248; // CSS pixels of a map
  const CHART = { height: 118, left: 34, right: 200, top: 6, bottom: 82 };
  const N_NEAR = 5;
  let data = null;

  const presets = page.presets();
  /** A slider over a list of values. */
  const listed = (key, label, values) => page.slider(key, {
    label, min: 0, max: values.length - 1, write: String,
    read: (place) => values[place], place: (value) => values.indexOf(value),
  });
  const which = page.select("data", { label: "data", options: setup.data });
  const perplexity = listed("perplexity", "perplexity", setup.perplexities);
  const iterations = listed("n_iterations", "iterations", setup.iterations);
  const start = page.select("start", { label: "start", options: setup.starts });
  const beside = page.select("beside", { label: "beside", options: setup.beside });
  const colour = page.select("colour", { label: "colours", options: setup.colours });
  const map = (place) => {
    const title = h("figcaption");
    const canvas = h("canvas", { tabindex: 0, role: "application", class: "ce-map" });
    return { title, canvas, place, node: h("figure", {}, title, canvas) };
  };
  const maps = [map(0), map(1)];
  const chart = (key, values, name) => {
    const svg = s("svg", { class: "ce-chart", role: "img" });
    return { key, values, name, svg, node: h("figure", { class: `ce-along-${key}` }, svg) };
  };
  const charts = [
    chart("perplexity", setup.perplexities, "perplexity"),
    chart("n_iterations", setup.iterations, "iterations"),
  ];
  const trustTitle = h("p", { class: "ce-title" }, "Trustworthiness");
  const account = h("p", { class: "ce-account", role: "status" });
  page.body.append(
    presets,
    h("div", { class: "ce-row ce-bar" }, which, perplexity, iterations, start, beside, colour),
    h(
      "div", { class: "ce-row ce-pictures" },
      ...maps.map(({ node }) => node),
      h("div", { class: "ce-narrow" }, trustTitle, ...charts.map(({ node }) => node)),
    ),
    account,
    h("p", { class: "ce-hint" }, "Click or press an arrow key on a map to choose a point. Lines lead to its five true neighbours in 64 dimensions: solid where they are among its five nearest on paper, dashed where not."),
  );

  // ---- choosing a point
  const every = Array.from({ length: setup.n_points }, (_, i) => i);
  const MARGIN = 12;
  /** Where the points of a map lie on its canvas, centred; its longer side fills it. */
  function pointsOf({ places }) {
    const scale = (SIDE - 2 * MARGIN) / setup.largest;
    let width = 0, height = 0;
    for (let i = 0; i < places.length; i += 2) {
      width = Math.max(width, places[i]);
      height = Math.max(height, places[i + 1]);
    }
    const [left, bottom] = [MARGIN + (scale * (setup.largest - width)) / 2, SIDE - MARGIN - (scale * (setup.largest - height)) / 2];
    return every.map((i) => [left + scale * places[2 * i], bottom - scale * places[2 * i + 1]]);
  }
  function choose(point, event) {
    if (point === page.state.point) return;
    page.change({ point }, event);
    if (data) maps.forEach((one) => drawMap(one, palette(page.root)));
  }
  const closest = (candidates, cost) =>
    candidates.reduce((best, i) => (best < 0 || cost(i) < cost(best) ? i : best), -1);
  const ARROWS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
  for (const { canvas, place } of maps) {
    const pick = (event) => {
      const box = canvas.getBoundingClientRect();
      const [x, y] = [event.clientX - box.left, event.clientY - box.top];
      const points = pointsOf(data.maps[place]);
      choose(closest(every, (i) => (points[i][0] - x) ** 2 + (points[i][1] - y) ** 2), event);
    };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      pick(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (event.buttons & 1) pick(event);
    });
    canvas.addEventListener("keydown", (event) => {
      const step = ARROWS[event.key];
      if (step) {
        const points = pointsOf(data.maps[place]);
        const [x, y] = points[page.state.point];
        // Ahead, and what lies sideways counts threefold.
        const ahead = (i) => (points[i][0] - x) * step[0] + (points[i][1] - y) * step[1];
        const aside = (i) => Math.abs((points[i][0] - x) * step[1]) + Math.abs((points[i][1] - y) * step[0]);
        const next = closest(every.filter((i) => ahead(i) > 0.5), (i) => ahead(i) + 3 * aside(i));
        if (next >= 0) choose(next, event);
      } else if (event.key === " " || event.key === "Enter") {
        choose((page.state.point + 1) % setup.n_points, event);
      } else return;
      event.preventDefault();
    });
    for (const type of ["focus", "blur"]) {
      canvas.addEventListener(type, () => data && drawMap(maps[place], palette(page.root)));
    }
  }

  // ---- a click in a chart chooses the perplexity or the number of iterations
  for (const { key, values, svg } of charts) {
    svg.classList.add("ce-clickable");
    const choosePlace = (event) => {
      const box = svg.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * (CHART.right + 8);
      const share = (x - CHART.left) / (CHART.right - CHART.left);
      const value = values[Math.min(values.length - 1, Math.max(0, Math.floor(share * values.length)))];
      if (page.state[key] === value) return;
      page.change({ [key]: value }, event);
      page.synchronize();
    };
    svg.addEventListener("pointerdown", (event) => {
      svg.setPointerCapture(event.pointerId);
      choosePlace(event);
    });
    svg.addEventListener("pointermove", (event) => {
      if (event.buttons & 1) choosePlace(event);
    });
  }

  // ---- drawing
  const isDark = (colours) => rgb(colours.grey(0)).reduce((sum, v) => sum + v, 0) < 380;
  function drawMap({ canvas, title, place }, colours) {
    const shown = data.maps[place];
    const { labels, doubt, neighbours, ranks, places } = shown;
    const context = prepare(canvas, SIDE, SIDE);
    const chosen = data.settings.point;
    const look = page.state.colour;
    const light = isDark(colours) ? 68 : 36;
    const hue = (i) => (shown.data === "digits" ? `hsl(${36 * Number(labels[i])} 70% ${light}%)`
      : colours.hues[Number(labels[i])]);
    const ink = colours.grey(1);
    context.font = "600 11px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    const points = pointsOf(shown);
    every.forEach((i) => {
      const [x, y] = points[i];
      context.fillStyle = look === "label" ? hue(i) : look === "none" ? colours.grey(0.75) : colours.signed(Number(doubt[i]), N_NEAR + 1);
      if (look === "label" && shown.data === "digits") {
        context.fillText(labels[i], x, y);
        return;
      }
      context.beginPath();
      if (look === "label" && labels[i] === "1") {
        context.moveTo(x, y - 4);
        context.lineTo(x + 3.6, y + 2.6);
        context.lineTo(x - 3.6, y + 2.6);
      } else context.arc(x, y, look === "doubt" ? 3.6 : 3, 0, 7);
      context.fill();
      if (look === "doubt") {
        context.strokeStyle = colours.grey(0.45);
        context.lineWidth = 0.6;
        context.stroke();
      }
    });
    const [x, y] = points[chosen];
    context.strokeStyle = ink;
    context.lineWidth = 1.6;
    neighbours.forEach((other, k) => {
      context.setLineDash(ranks[k] <= N_NEAR ? [] : [4, 3]);
      context.beginPath();
      context.moveTo(x, y);
      context.lineTo(...points[other]);
      context.stroke();
    });
    context.setLineDash([]);
    for (const i of neighbours) {
      context.lineWidth = 1.2;
      context.beginPath();
      context.arc(...points[i], 5.5, 0, 7);
      context.stroke();
    }
    context.strokeStyle = document.activeElement === canvas ? colours.accent : ink;
    context.lineWidth = 3;
    context.beginPath();
    context.arc(x, y, 7.5, 0, 7);
    context.stroke();
    context.strokeStyle = colours.line;
    context.lineWidth = 1;
    context.strokeRect(0.5, 0.5, SIDE - 1, SIDE - 1);
    title.textContent = `${shown.name}: ${shown.trustworthiness.toFixed(3)}`;
    canvas.setAttribute(
      "aria-label",
      `${shown.name}, start ${shown.start}, trustworthiness ${shown.trustworthiness}; arrow keys choose a point, space the next one. `
        + `Point ${chosen}: ${ranks.filter((rank) => rank <= N_NEAR).length} of five true neighbours are near on paper`,
    );
  }
  const DASHES = { digits: "none", noise: "2 4", blobs: "7 3" };
  function drawChart({ key, values, name, svg }, colours, curves, place) {
    stretch(svg, CHART);
    const { left, right, top, bottom } = CHART;
    const step = (right - left) / values.length;
    const x = (i) => left + (i + 0.5) * step;
    const y = (value) => bottom - ((bottom - top) * (value - 0.5)) / 0.5;
    const parts = [
      s("rect", { class: "ce-chosen", x: x(place) - step / 2, y: top, width: step, height: bottom - top }),
    ];
    for (const tick of [0.5, 0.75, 1]) {
      parts.push(
        s("path", { class: "ce-grid", d: `M${left} ${y(tick)}H${right}` }),
        s("text", { x: left - 4, y: y(tick) + 4, "text-anchor": "end" }, String(tick)),
      );
    }
    values.forEach((value, i) => {
      parts.push(s("text", { x: x(i), y: bottom + 15, "text-anchor": "middle" }, String(value)));
    });
    parts.push(s("text", { x: (left + right) / 2, y: bottom + 31, "text-anchor": "middle" }, name));
    Object.entries(curves).forEach(([one, heights], k) => {
      const stroke = colours.hues[k];
      parts.push(
        s("path", {
          d: `M${heights.map((value, i) => `${x(i).toFixed(1)} ${y(value).toFixed(1)}`).join("L")}`,
          fill: "none", stroke, "stroke-width": 2.2, "stroke-dasharray": DASHES[one],
        }),
        s("circle", { cx: x(place), cy: y(heights[place]), r: one === data.settings.data ? 5 : 3, fill: stroke }),
      );
    });
    svg.replaceChildren(...parts);
    svg.setAttribute(
      "aria-label",
      `trustworthiness at ${name} ${values[place]}: ${Object.entries(curves).map(([one, v]) => `${one} ${v[place]}`).join(", ")}`,
    );
  }
  const legend = h("p", { class: "ce-hint ce-key" });
  trustTitle.after(legend);
  function drawLegend(colours) {
    legend.replaceChildren(
      ...["digits", "noise", "blobs"].flatMap((name, k) => [
        s("svg", { width: 22, height: 10, "aria-hidden": "true" },
          s("path", { d: "M1 5h20", stroke: colours.hues[k], "stroke-width": 2.6, "stroke-dasharray": DASHES[name] })),
        ` ${name} `,
      ]),
    );
  }

  return (answer) => {
    data = answer;
    const colours = palette(page.root);
    drawLegend(colours);
    maps.forEach((one) => drawMap(one, colours));
    drawChart(charts[0], colours, data.along_perplexity, data.place[0]);
    drawChart(charts[1], colours, data.along_iterations, data.place[1]);
    account.textContent = data.text;
  };
}

export default { render: (context) => mount(context, "maps", buildMapHonesty) };
