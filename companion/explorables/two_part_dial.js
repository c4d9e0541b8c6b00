function buildTwoPartDial(page) {
  const { setup } = page;
  // Heights in CSS pixels; the widths are what the page leaves.
  const GRID = { height: 232, left: 62, right: 340, top: 6, bottom: 192 };
  const BARS = { height: 232, left: 50, right: 340, top: 6, bottom: 192 };
  const MESSAGES = { height: 130, left: 94, right: 700, top: 24, bottom: 94 };
  let data = null;

  const percent = (share) => `${brief(100 * share)} %`;
  const levelName = (n) => (n === 0 ? "float32" : String(n));
  const presets = page.presets();
  /** A slider over a list of values. */
  const listed = (key, label, values, write) => page.slider(key, {
    label, min: 0, max: values.length - 1, write,
    read: (place) => values[place], place: (value) => values.indexOf(value),
  });
  const density = listed("density", "density", setup.densities, percent);
  const levels = listed("n_levels", "levels", setup.levels, levelName);
  const coder = page.select("coder", { label: "coder", options: setup.coders });
  const labels = page.select("labels", { label: "labels", options: setup.labels });
  const shown = page.select("shown", { label: "grid", options: setup.shown });
  const along = page.select("along", { label: "bars along", options: setup.along });
  const figure = (name) => {
    const title = h("figcaption");
    const svg = s("svg", { class: "ce-chart", role: "img" });
    return { title, svg, node: h("figure", { class: `ce-${name}` }, title, svg) };
  };
  const [grid, bars, messages] = ["grid", "bars", "messages"].map(figure);
  const account = h("p", { class: "ce-account", role: "status" });
  page.body.append(
    presets,
    h("div", { class: "ce-row ce-bar" }, density, levels, coder, labels, shown, along),
    h("div", { class: "ce-pair ce-pictures" }, grid.node, bars.node),
    messages.node, account,
  );

  // ---- a click or a drag in one of the upper charts chooses a network
  const isAlongDensity = () => data.settings.along === "density";
  const inside = (place, n) => Math.min(n - 1, Math.max(0, Math.floor(place * n)));
  function choosing({ svg }, chart, stateAt) {
    svg.classList.add("ce-clickable");
    const choose = (event) => {
      const box = svg.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * (chart.right + 8);
      const y = ((event.clientY - box.top) / box.height) * chart.height;
      const wish = stateAt(
        (x - chart.left) / (chart.right - chart.left), (y - chart.top) / (chart.bottom - chart.top),
      );
      if (Object.entries(wish).every(([key, value]) => page.state[key] === value)) return;
      page.change(wish, event);
      page.synchronize();
    };
    svg.addEventListener("pointerdown", (event) => {
      svg.setPointerCapture(event.pointerId);
      choose(event);
    });
    svg.addEventListener("pointermove", (event) => {
      if (event.buttons & 1) choose(event);
    });
  }
  choosing(grid, GRID, (x, y) => ({
    density: setup.densities[inside(y, setup.densities.length)],
    n_levels: setup.levels[inside(x, setup.levels.length)],
  }));
  choosing(bars, BARS, (x) => (isAlongDensity()
    ? { density: setup.densities[inside(x, setup.densities.length)] }
    : { n_levels: setup.levels[inside(x, setup.levels.length)] }));

  /** Samples of a legend, one after the other from (x, y) on: [attributes, text, width]. */
  function legend(x, y, entries) {
    let start = x;
    return entries.flatMap(([attributes, text, width]) => {
      const parts = [s("path", { d: `M${start} ${y - 4}h20`, fill: "none", ...attributes }), s("text", { x: start + 25, y }, text)];
      start += width;
      return parts;
    });
  }
  const box = (hue, opacity = 0.75) => ({ stroke: hue, "stroke-width": 9, "stroke-opacity": opacity });
  const thousands = (bits) => (bits / 1000).toFixed(1);

  function drawGrid(colours) {
    const { left, right, top, bottom } = GRID;
    const { densities, levels: columns, totals, accuracies, uniform, place, shortest, settings } = data;
    const width = (right - left) / columns.length, height = (bottom - top) / densities.length;
    const isBits = settings.shown === "bits";
    const parts = [];
    densities.forEach((value, i) => {
      columns.forEach((n, j) => {
        const x = left + j * width, y = top + i * height;
        // Blue: shorter than the labels alone; orange: longer.
        const fill = isBits
          ? colours.signed(Math.min(totals[i][j] - uniform, uniform), 1.6 * uniform)
          : colours.signed(-accuracies[i][j], 1.6);
        parts.push(
          s("rect", { x: x + 0.5, y: y + 0.5, width: width - 1, height: height - 1, fill }),
          s("text", { x: x + width / 2, y: y + height / 2 + 4, "text-anchor": "middle" },
            isBits ? thousands(totals[i][j]) : format(100 * accuracies[i][j], 0)),
        );
      });
      parts.push(s("text", { x: left - 6, y: top + (i + 0.5) * height + 4, "text-anchor": "end" }, percent(value)));
    });
    columns.forEach((n, j) => {
      parts.push(s("text", { x: left + (j + 0.5) * width, y: bottom + 16, "text-anchor": "middle" }, levelName(n)));
    });
    const frame = ([i, j], attributes) => s("rect", {
      x: left + j * width + 1.5, y: top + i * height + 1.5, width: width - 3, height: height - 3, fill: "none", ...attributes,
    });
    parts.push(
      frame(shortest, { class: "ce-shortest", stroke: "currentColor", "stroke-width": 2, "stroke-dasharray": "4 3" }),
      frame(place, { class: "ce-here", stroke: "currentColor", "stroke-width": 3 }),
      s("text", { x: (left + right) / 2, y: bottom + 33, "text-anchor": "middle" }, "levels (values a number may take)"),
      s("text", { transform: `translate(12 ${(top + bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, "density"),
    );
    grid.svg.replaceChildren(...parts);
    grid.title.textContent = isBits
      ? "Thousand bits (frame: here; dashes: shortest)"
      : "Accuracy in % (frame: here; dashes: shortest)";
    grid.svg.setAttribute("aria-label", data.text);
  }

  function drawBars(colours) {
    const { left, right, top, bottom } = BARS;
    const { bars: rows, uniform, prequential, bar } = data;
    const names = isAlongDensity() ? data.densities.map(percent) : data.levels.map(levelName);
    const step = (right - left) / rows.length;
    const xOf = (i) => left + (i + 0.5) * step;
    const highest = 1.28 * Math.max(uniform, ...rows.map((row) => row.high));
    const y = (bits) => bottom - ((bottom - top) * bits) / highest;
    const width = 0.62 * step;
    const parts = [s("rect", { class: "ce-chosen", x: xOf(bar) - step / 2, y: top, width: step, height: bottom - top })];
    for (const tick of roundSteps(highest)) {
      parts.push(
        s("path", { class: "ce-grid", d: `M${left} ${y(tick)}H${right}` }),
        s("text", { x: left - 5, y: y(tick) + 4, "text-anchor": "end" }, format(tick)),
      );
    }
    rows.forEach((row, i) => {
      const x = xOf(i) - width / 2;
      parts.push(
        s("rect", { x, y: y(row.model), width, height: bottom - y(row.model), fill: colours.hues[0], "fill-opacity": 0.75 }),
        s("rect", { x, y: y(row.total), width, height: y(row.model) - y(row.total), fill: colours.hues[1], "fill-opacity": 0.75 }),
        s("path", { d: `M${xOf(i)} ${y(row.low)}V${y(row.high)}`, stroke: "currentColor", "stroke-width": 1.4 }),
        s("text", { x: xOf(i), y: bottom + 16, "text-anchor": "middle" }, names[i]),
      );
    });
    const least = rows.reduce((best, row, i) => (row.total < rows[best].total ? i : best), 0);
    const line = { stroke: "currentColor", "stroke-width": 1.6 };
    const dotted = { ...line, "stroke-dasharray": "2 4" }, dashed = { ...line, "stroke-dasharray": "7 3" };
    parts.push(
      s("circle", { class: "ce-least", cx: xOf(least), cy: y(rows[least].total), r: 6, fill: "none", stroke: "currentColor", "stroke-width": 2 }),
      s("path", { class: "ce-uniform", d: `M${left} ${y(uniform)}H${right}`, ...dotted }),
      s("path", { class: "ce-axis", d: `M${left} ${top}V${bottom}H${right}` }),
      s("text", { x: (left + right) / 2, y: bottom + 33, "text-anchor": "middle" }, isAlongDensity() ? "density" : "levels"),
      ...legend(left + 8, top + 10, [
        [box(colours.hues[1]), "labels", 78], [box(colours.hues[0]), "network", 90], [dotted, "no network", 110],
      ]),
    );
    if (prequential !== null) {
      parts.push(
        s("path", { class: "ce-prequential", d: `M${left} ${y(prequential)}H${right}`, ...dashed }),
        ...legend(left + 8, top + 27, [[dashed, "prequential, CNN of chapter 02", 250]]),
      );
    }
    bars.svg.replaceChildren(...parts);
    bars.title.textContent = isAlongDensity()
      ? `Bits to send both, ${levelName(data.levels[data.place[1]])}${data.levels[data.place[1]] ? " levels" : ""}`
      : `Bits to send both, ${percent(data.densities[data.place[0]])} kept`;
    bars.svg.setAttribute(
      "aria-label", `network and labels, shortest at ${names[least]}: ${format(rows[least].total)} bits; without a network ${format(uniform)}`,
    );
  }

  function drawMessages(colours) {
    const { left, right, top, bottom } = MESSAGES;
    const highest = 1.02 * Math.max(data.uniform, ...data.messages.map((message) => message.total));
    const x = (bits) => left + ((right - left) * bits) / highest;
    const step = (bottom - top) / data.messages.length;
    // Positions, values, float32 values, levels, header, labels.
    const dress = [
      [colours.hues[0], 0.4], [colours.hues[0], 0.85], [colours.hues[3], 0.75], [colours.hues[2], 0.75],
      ["currentColor", 0.5], [colours.hues[1], 0.75],
    ];
    const parts = [];
    for (const tick of roundSteps(highest)) {
      parts.push(
        s("path", { class: "ce-grid", d: `M${x(tick)} ${top}V${bottom}` }),
        s("text", { x: x(tick), y: bottom + 16, "text-anchor": x(tick) > right - 16 ? "end" : "middle" }, format(tick)),
      );
    }
    data.messages.forEach((message, i) => {
      const y = top + i * step + 2;
      const isHere = message.coder === data.settings.coder;
      let sum = 0;
      message.parts.forEach(([, bits], k) => {
        if (bits > 0) {
          parts.push(s("rect", { x: x(sum), y, width: x(sum + bits) - x(sum), height: step - 4, fill: dress[k][0], "fill-opacity": dress[k][1] }));
        }
        sum += bits;
      });
      if (isHere) parts.push(s("rect", { x: left, y: y - 1.5, width: x(message.total) - left, height: step - 1, fill: "none", stroke: "currentColor", "stroke-width": 2 }));
      parts.push(
        s("text", { x: left - 6, y: y + step / 2 + 2, "text-anchor": "end", ...(isHere ? { "font-weight": 700 } : {}) }, message.name),
      );
    });
    const names = data.messages[0].parts.map(([name]) => name);
    parts.push(
      s("path", { d: `M${x(data.uniform)} ${top}V${bottom}`, stroke: "currentColor", "stroke-dasharray": "2 4", "stroke-width": 1.6 }),
      s("path", { class: "ce-axis", d: `M${left} ${top}V${bottom}H${right}` }),
      s("text", { x: (left + right) / 2, y: bottom + 33, "text-anchor": "middle" }, "bits"),
      ...legend(left, 13, names.map((name, k) => [box(...dress[k]), name, 44 + 6.6 * name.length])),
    );
    messages.svg.replaceChildren(...parts);
    messages.title.textContent = "The message of this network, part by part, by each coder (dotted: no network)";
    messages.svg.setAttribute(
      "aria-label", data.messages.map((message) => `${message.name} ${format(message.total)} bits`).join(", "),
    );
  }

  return (answer) => {
    data = answer;
    const colours = palette(page.root);
    for (const [{ svg }, chart] of [[grid, GRID], [bars, BARS], [messages, MESSAGES]]) stretch(svg, chart);
    drawGrid(colours);
    drawBars(colours);
    drawMessages(colours);
    account.textContent = data.text;
  };
}

export default { render: (context) => mount(context, "twopart", buildTwoPartDial) };
