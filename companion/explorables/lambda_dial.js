function buildLambdaDial(page) {
  const { setup } = page;
  // Heights in CSS pixels; the widths are what the page leaves.
  const CHART = { height: 230, left: 46, right: 340, top: 8, bottom: 192 };
  const WEIGHTS = { height: 122, left: 46, right: 700, top: 6, bottom: 88 };
  const DASHES = ["none", "7 3", "2 3"];
  const coefficients = setup.weight_decays;
  let data = null;

  const presets = page.presets();
  const nearest = (value) =>
    coefficients.reduce((best, other, i) => (Math.abs(other - value) < Math.abs(coefficients[best] - value) ? i : best), 0);
  const dial = page.slider("weight_decay", {
    label: "λ", min: 0, max: coefficients.length - 1, write: brief,
    read: (place) => coefficients[place], place: nearest,
  });
  const optimizer = page.select("optimizer", { label: "optimizer", options: setup.optimizers });
  const decayed = page.select("decayed", { label: "decayed", options: setup.decayed });
  const sizes = page.select("n_labels", { label: "labels", options: setup.sizes, read: Number });
  const shown = page.select("shown", { label: "left chart", options: setup.shown });
  const hint = h(
    "p", { class: "ce-hint" },
    `A convolutional network with batch norm, ${format(setup.n_parameters)} numbers, 600 steps; mean and range of `
      + "three seeds. A click into an upper chart turns the dial as well.",
  );

  const figure = (name) => {
    const title = h("figcaption");
    const svg = s("svg", { class: "ce-chart", role: "img" });
    return { title, svg, node: h("figure", { class: `ce-${name}` }, title, svg) };
  };
  const [fit, code, weights] = ["fit", "code", "weights"].map(figure);
  const account = h("p", { class: "ce-account", role: "status" });
  page.body.append(
    presets,
    h("div", { class: "ce-row ce-bar" }, dial, optimizer, decayed, sizes, shown),
    h("div", { class: "ce-pair ce-pictures" }, fit.node, code.node),
    weights.node, account, hint,
  );

  // ---- a click or a drag in one of the upper charts turns the dial
  const xOf = (place) =>
    CHART.left + ((CHART.right - CHART.left) * (place + 0.5)) / coefficients.length;
  for (const { svg } of [fit, code]) {
    svg.classList.add("ce-clickable");
    const choose = (event) => {
      const box = svg.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * (CHART.right + 8);
      const share = (x - CHART.left) / (CHART.right - CHART.left);
      const place = Math.min(coefficients.length - 1, Math.max(0, Math.floor(share * coefficients.length)));
      if (coefficients[place] === page.state.weight_decay) return;
      page.change({ weight_decay: coefficients[place] }, event);
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

  /** Axes, grid and the chosen place, for both upper charts. */
  function frame(y, ticks, write) {
    const { left, right, top, bottom } = CHART;
    const half = (right - left) / coefficients.length / 2;
    const chosen = xOf(data.place);
    return [
      s("rect", { class: "ce-chosen", x: chosen - half, y: top, width: 2 * half, height: bottom - top }),
      ...ticks.flatMap((tick) => [
        s("path", { class: "ce-grid", d: `M${left} ${y(tick)}H${right}` }),
        s("text", { x: left - 5, y: y(tick) + 4, "text-anchor": "end" }, write(tick)),
      ]),
      ...coefficients.flatMap((value, i) => [
        s("path", { class: "ce-axis", d: `M${xOf(i)} ${bottom}v4` }),
        // Every second number; the ones between are half a power of ten away.
        i % 2 || i === 0
          ? s("text", { x: xOf(i), y: bottom + 17, "text-anchor": "middle" }, format(value, 3))
          : null,
      ]).filter((node) => node !== null),
      s("path", { class: "ce-axis", d: `M${left} ${top}V${bottom}H${right}` }),
      s("text", { x: (left + right) / 2, y: bottom + 35, "text-anchor": "middle" }, "coefficient λ"),
    ];
  }
  /** Lines of a legend from (x, y) on: [attributes of a sample, text]. */
  const legend = (x, y, entries) => entries.flatMap(([attributes, text], i) => [
    s("path", { d: `M${x} ${y + 17 * i - 4}h24`, ...attributes }),
    s("text", { x: x + 30, y: y + 17 * i }, text),
  ]);

  function drawFit(colours) {
    const { left, right, top, bottom } = CHART;
    const isShare = data.settings.shown === "accuracy";
    const highest = isShare ? 1 : Math.min(6, Math.max(3.6, ...data.curves.flatMap((curve) => curve.high)));
    const y = (value) => bottom - ((bottom - top) * Math.min(value, highest)) / highest;
    const ticks = isShare ? [0, 0.2, 0.4, 0.6, 0.8, 1] : roundSteps(highest);
    const parts = frame(y, ticks, isShare ? (v) => `${format(100 * v)} %` : (v) => format(v, 1));
    const dressed = [colours.hues[0], colours.hues[1], "currentColor"];
    data.curves.forEach((curve, i) => {
      const points = (values) => values.map((v, k) => `${xOf(k).toFixed(1)} ${y(v).toFixed(1)}`);
      if (i < 2) {
        parts.push(s("path", {
          d: `M${points(curve.low).join("L")}L${points(curve.high).reverse().join("L")}Z`,
          fill: dressed[i], "fill-opacity": 0.2,
        }));
      }
      parts.push(s("path", {
        class: "ce-curve", d: `M${points(curve.y).join("L")}`, fill: "none", stroke: dressed[i],
        "stroke-width": i < 2 ? 2.4 : 1.6, "stroke-dasharray": DASHES[i],
      }));
    });
    const { best } = data;
    parts.push(s("circle", {
      class: "ce-best", cx: xOf(best), cy: y(data.curves[1].y[best]), r: 7, fill: "none", stroke: "currentColor", "stroke-width": 2,
    }));
    const entries = data.curves.map((curve, i) => [
      { stroke: dressed[i], "stroke-width": i < 2 ? 2.4 : 1.6, "stroke-dasharray": DASHES[i] }, curve.name,
    ]);
    parts.push(...legend(left + 12, isShare ? bottom - 44 : top + 12, entries));
    fit.svg.replaceChildren(...parts);
    fit.title.textContent = isShare ? "Accuracy (ring: best held out)" : "Bits per label (ring: best held out)";
    fit.svg.setAttribute("aria-label", data.text);
  }

  function drawCode(colours) {
    const { left, right, top, bottom } = CHART;
    const { model, labels, total, low, high, shortest, uniform } = data.code;
    const highest = 1.22 * Math.max(uniform, ...high);
    const y = (bits) => bottom - ((bottom - top) * bits) / highest;
    const width = 0.62 * (xOf(1) - xOf(0));
    const parts = frame(y, roundSteps(highest), (v) => format(v));
    coefficients.forEach((_, i) => {
      const x = xOf(i) - width / 2;
      parts.push(
        s("rect", { x, y: y(model[i]), width, height: bottom - y(model[i]), fill: colours.hues[0], "fill-opacity": 0.75 }),
        s("rect", { x, y: y(total[i]), width, height: y(model[i]) - y(total[i]), fill: colours.hues[1], "fill-opacity": 0.75 }),
        s("path", { d: `M${xOf(i)} ${y(low[i])}V${y(high[i])}`, stroke: "currentColor", "stroke-width": 1.4 }),
      );
    });
    parts.push(
      s("path", { d: `M${left} ${y(uniform)}H${right}`, stroke: "currentColor", "stroke-dasharray": "2 4", "stroke-width": 1.6 }),
      s("circle", {
        class: "ce-shortest", cx: xOf(shortest), cy: y(total[shortest]), r: 7, fill: "none", stroke: "currentColor", "stroke-width": 2,
      }),
    );
    const box = (hue) => ({ stroke: hue, "stroke-width": 9, "stroke-opacity": 0.75 });
    parts.push(
      ...legend(left + 10, top + 10, [[box(colours.hues[1]), "labels"]]),
      ...legend(left + 84, top + 10, [[box(colours.hues[0]), "network"]]),
      ...legend(left + 170, top + 10, [[{ stroke: "currentColor", "stroke-dasharray": "2 4", "stroke-width": 1.6 }, "no network"]]),
    );
    code.svg.replaceChildren(...parts);
    code.title.textContent = "Bits to send network and labels (ring: shortest)";
    code.svg.setAttribute(
      "aria-label", `two-part code: shortest at λ = ${brief(coefficients[shortest])} with ${format(total[shortest])} bits`,
    );
  }

  function drawWeights(colours) {
    const { left, right, top, bottom } = WEIGHTS;
    const { bins, weights: kernels, others } = data.histogram;
    const first = bins[0], last = bins.at(-1);
    const x = (value) => left + ((right - left) * (value - first)) / (last - first);
    const highest = Math.max(0.2, ...kernels, ...others);
    const y = (share) => bottom - ((bottom - top) * share) / highest;
    const parts = [];
    for (const tick of roundSteps(1.8 * highest).filter((share) => share <= highest)) {
      parts.push(
        s("path", { class: "ce-grid", d: `M${left} ${y(tick)}H${right}` }),
        s("text", { x: left - 5, y: y(tick) + 4, "text-anchor": "end" }, `${format(100 * tick)} %`),
      );
    }
    for (const tick of [-2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2]) {
      parts.push(
        s("path", { class: "ce-axis", d: `M${x(tick)} ${bottom}v4` }),
        s("text", { x: x(tick), y: bottom + 17, "text-anchor": "middle" }, format(tick, 1)),
      );
    }
    const stairs = (shares) => shares.map((share, i) => `${x(bins[i]).toFixed(1)} ${y(share).toFixed(1)}H${x(bins[i + 1]).toFixed(1)}`).join("L");
    parts.push(
      s("path", { d: `M${left} ${bottom}L${stairs(kernels)}V${bottom}Z`, fill: colours.hues[0], "fill-opacity": 0.75 }),
      s("path", { d: `M${left} ${bottom}L${stairs(others)}V${bottom}`, fill: "none", stroke: colours.hues[1], "stroke-width": 2 }),
      s("path", { class: "ce-axis", d: `M${left} ${top}V${bottom}H${right}` }),
      s("text", { x: (left + right) / 2, y: bottom + 32, "text-anchor": "middle" }, "value (beyond ±2: in the outermost bars)"),
      ...legend(left + 12, top + 12, [
        [{ stroke: colours.hues[0], "stroke-width": 9, "stroke-opacity": 0.75 }, `weights, root mean square ${brief(data.histogram.weights_rms)}`],
        [{ stroke: colours.hues[1], "stroke-width": 2 }, `biases and gains, ${brief(data.histogram.others_rms)}`],
      ]),
    );
    weights.svg.replaceChildren(...parts);
    weights.title.textContent = `The numbers of the network at λ = ${brief(coefficients[data.place])}`;
    weights.svg.setAttribute("aria-label", `histogram: root mean square of the weights ${brief(data.histogram.weights_rms)}, of biases and gains ${brief(data.histogram.others_rms)}`);
  }

  return (answer) => {
    data = answer;
    const colours = palette(page.root);
    stretch(fit.svg, CHART);
    stretch(code.svg, CHART); // of the same width
    stretch(weights.svg, WEIGHTS);
    drawFit(colours);
    drawCode(colours);
    drawWeights(colours);
    account.textContent = data.text;
  };
}

export default { render: (context) => mount(context, "dial", buildLambdaDial) };
