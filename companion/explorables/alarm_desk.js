function buildAlarmDesk(page) {
  const { setup } = page;
  // Heights in CSS pixels; the widths are what the page leaves.
  const SCORES = { height: 178, left: 44, right: 330, top: 8, bottom: 142 };
  const COSTS = { height: 178, left: 44, right: 330, top: 8, bottom: 142 };
  const SQUARE = { height: 178, left: 60, right: 240, top: 8, bottom: 142 };
  const DASH = "3 3"; // of whatever is measured on fresh pictures
  let data = null;

  const presets = page.presets();
  const nearest = (values, value) =>
    values.reduce((best, other, i) => (Math.abs(other - value) < Math.abs(values[best] - value) ? i : best), 0);
  /** A slider over a list of values. */
  const listed = (key, label, values, write, onchange = null) => page.slider(key, {
    label, min: 0, max: values.length - 1, write, onchange,
    read: (place) => values[place], place: (value) => nearest(values, value),
  });
  const percent = (share) => `${brief(100 * share)} %`;
  const normal = page.select("normal", {
    label: "normal", read: Number, options: Array.from({ length: 10 }, (_, k) => [k, `the digit ${k}`]),
  });
  const anomalies = page.select("anomalies", { label: "anomalies", options: setup.anomalies });
  const method = page.select("method", { label: "score", options: setup.methods });
  const rate = listed("rate", "rule", setup.rates, (value) => `≤ ${percent(value)}`, () => ({ threshold: null, peek: "no" }));
  const threshold = page.slider("threshold", {
    label: "threshold", min: -1, max: 3, step: 0.02, write: (value) => `× ${brief(2 ** value)}`,
    onchange: () => ({ peek: "no" }), place: (value) => value ?? data?.threshold ?? 0,
  });
  const missed = listed("missed", "a miss costs", setup.prices, format);
  const falseAlarm = listed("false_alarm", "false alarm", setup.prices, format);
  const share = listed("share", "their share", setup.shares, percent);
  const size = page.select("n_test", {
    label: "test set", read: Number, options: setup.sizes.map((n) => [n, `${n} + ${n}`]),
  });
  const peek = page.select("peek", { label: "peek at it", options: setup.peeks });
  const again = h(
    "button",
    { type: "button", class: "ce-again", onclick: (event) =>
      page.change({ draw: (page.state.draw + 1) % setup.n_draws }, event) },
    "draw another test set",
  );
  const slide = threshold.querySelector("input");

  const figure = (name) => {
    const title = h("figcaption");
    const svg = s("svg", { class: "ce-chart", role: "img" });
    return { title, svg, node: h("figure", { class: `ce-${name}` }, title, svg) };
  };
  const [scores, costs, roc, pr] = ["scores", "costs", "roc", "pr"].map(figure);
  const account = h("p", { class: "ce-account", role: "status" });
  const promise = h("p", { class: "ce-promise", role: "status" });
  page.body.append(
    presets,
    h(
      "div", { class: "ce-row ce-pictures" },
      h(
        "div", { class: "ce-column ce-settings" },
        normal, anomalies, method, rate, threshold, missed, falseAlarm, share, size, again, peek,
      ),
      h("div", { class: "ce-column ce-wide" }, scores.node, costs.node),
      h("div", { class: "ce-column ce-narrow" }, roc.node, pr.node),
    ),
    promise, account,
  );

  // ---- a click or a drag in one of the wide charts moves the threshold
  const valueAt = (svg, event) => {
    const { edges } = data.histogram;
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * (SCORES.right + 8);
    const along = Math.min(1, Math.max(0, (x - SCORES.left) / (SCORES.right - SCORES.left)));
    return Number((edges[0] + along * (edges.at(-1) - edges[0])).toFixed(2));
  };
  for (const { svg } of [scores, costs]) {
    svg.classList.add("ce-clickable");
    const choose = (event) => {
      const value = valueAt(svg, event);
      if (value === page.state.threshold && page.state.peek === "no") return;
      page.change({ threshold: value, peek: "no" }, event);
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

  /** Ticks at powers of two of the median normal score. */
  function scoreAxis({ left, right, top, bottom }, x) {
    const { edges } = data.histogram;
    const parts = [s("path", { class: "ce-axis", d: `M${left} ${top}V${bottom}H${right}` })];
    const span = edges.at(-1) - edges[0];
    const step = span > 6 ? 2 : span > 2.5 ? 1 : 0.5;
    for (let tick = Math.ceil(edges[0] / step) * step; tick <= edges.at(-1); tick += step) {
      parts.push(
        s("path", { class: "ce-axis", d: `M${x(tick)} ${bottom}v4` }),
        s("text", { x: x(tick), y: bottom + 16, "text-anchor": "middle" }, brief(2 ** tick)),
      );
    }
    parts.push(s("text", { x: (left + right) / 2, y: bottom + 32, "text-anchor": "middle" }, "score, times the median normal one"));
    return parts;
  }
  const grid = ({ left, right }, y, ticks, write) => ticks.flatMap((tick) => [
    s("path", { class: "ce-grid", d: `M${left} ${y(tick)}H${right}` }),
    s("text", { x: left - 5, y: y(tick) + 4, "text-anchor": "end" }, write(tick)),
  ]);
  /** One line of a legend at (x, y). */
  const entry = (x, y, attributes, text) => [
    s("path", { d: `M${x} ${y - 4}h20`, fill: "none", ...attributes }), s("text", { x: x + 25, y }, text),
  ];
  const box = (hue) => ({ stroke: hue, "stroke-width": 9, "stroke-opacity": 0.6 });
  const along = ({ left, right }) => {
    const { edges } = data.histogram;
    return (value) => {
      const share = (value - edges[0]) / (edges.at(-1) - edges[0]);
      return left + (right - left) * Math.min(1, Math.max(0, share));
    };
  };
  const lineAt = ({ top, bottom }, x, colours) => s("path", {
    class: "ce-threshold", d: `M${x(data.threshold)} ${top}V${bottom}`, stroke: colours.accent, "stroke-width": 2.4,
  });

  function drawScores(colours) {
    const { bottom, top, left, right } = SCORES;
    const { edges, ...shares } = data.histogram;
    const x = along(SCORES);
    const highest = 1.3 * Math.max(...Object.values(shares).flat());
    const y = (value) => bottom - ((bottom - top) * value) / highest;
    const stairs = (values) => values.map((v, i) => `${x(edges[i]).toFixed(1)} ${y(v).toFixed(1)}H${x(edges[i + 1]).toFixed(1)}`).join("L");
    const names = [`${data.settings.normal}s`, data.names.anomalies];
    const parts = grid(SCORES, y, roundSteps(2 * highest).filter((v) => v <= highest), (v) => `${format(100 * v)} %`);
    ["normal", "anomalies"].forEach((kind, i) => {
      parts.push(
        s("path", { d: `M${left} ${bottom}L${stairs(shares[`test_${kind}`])}V${bottom}Z`, fill: colours.hues[i], "fill-opacity": 0.6 }),
        s("path", { d: `M${left} ${bottom}L${stairs(shares[`fresh_${kind}`])}V${bottom}`, fill: "none", stroke: colours.hues[i], "stroke-width": 1.6, "stroke-dasharray": DASH }),
        ...entry(left + 10 + 110 * i, top + 10, box(colours.hues[i]), names[i]),
      );
    });
    parts.push(...scoreAxis(SCORES, x), lineAt(SCORES, x, colours));
    scores.svg.replaceChildren(...parts);
    scores.title.textContent = `${data.names.method} scores (dashed: fresh)`;
    scores.svg.setAttribute("aria-label", data.text);
  }

  function drawCosts(colours) {
    const { bottom, top, left, right } = COSTS;
    const { places, test, fresh, without } = data.cost;
    const x = along(COSTS);
    // Costs far above those of not looking are cut off, but not those of the threshold in force.
    const needed = Math.max(1.9 * without, 1.15 * data.test.cost, 1.15 * data.fresh.cost);
    const highest = Math.max(1e-9, Math.min(needed, 1.15 * Math.max(...test, ...fresh)));
    const y = (value) => bottom - ((bottom - top) * Math.min(value, highest)) / highest;
    const path = (values) => `M${values.map((v, i) => `${x(places[i]).toFixed(1)} ${y(v).toFixed(1)}`).join("L")}`;
    const [promised, kept] = [data.test.cost, data.fresh.cost];
    const at = x(data.threshold);
    const parts = [
      ...grid(COSTS, y, roundSteps(highest), (v) => format(v, v < 10 ? 1 : 0)),
      s("path", { d: `M${left} ${y(without)}H${right}`, stroke: "currentColor", "stroke-opacity": 0.7, "stroke-dasharray": "8 3 2 3", "stroke-width": 1.4 }),
      s("path", { class: "ce-curve", d: path(test), fill: "none", stroke: colours.hues[2], "stroke-width": 2.4 }),
      s("path", { d: path(fresh), fill: "none", stroke: "currentColor", "stroke-width": 1.6, "stroke-dasharray": DASH }),
      ...scoreAxis(COSTS, x),
      lineAt(COSTS, x, colours),
      s("circle", { class: "ce-promised", cx: at, cy: y(promised), r: 5, fill: colours.hues[2] }),
      s("circle", { class: "ce-kept", cx: at, cy: y(kept), r: 5, fill: "none", stroke: "currentColor", "stroke-width": 2 }),
      s("text", { x: right - 4, y: y(without) - 5, "text-anchor": "end" }, "without looking"),
    ];
    costs.svg.replaceChildren(...parts);
    costs.title.textContent = "Cost of 1,000 pictures";
    costs.svg.setAttribute("aria-label", `cost at this threshold: ${brief(promised)} by the test set, ${brief(kept)} by fresh pictures, ${brief(without)} without looking`);
  }

  function drawSquare(target, key, point, title, across, up, colours) {
    const { bottom, top, left, right } = SQUARE;
    const x = (value) => left + (right - left) * value;
    const y = (value) => bottom - (bottom - top) * value;
    const path = ([first, second]) => `M${first.map((v, i) => `${x(v).toFixed(1)} ${y(second[i]).toFixed(1)}`).join("L")}`;
    const parts = grid(SQUARE, y, [0, 0.5, 1], (v) => `${format(100 * v)} %`);
    for (const tick of [0, 0.5, 1]) {
      parts.push(s("text", { x: x(tick), y: bottom + 16, "text-anchor": tick === 1 ? "end" : "middle" }, `${format(100 * tick)} %`));
    }
    parts.push(
      s("path", { class: "ce-axis", d: `M${left} ${top}V${bottom}H${right}` }),
      s("path", { class: "ce-curve", d: path(data.test[key]), fill: "none", stroke: colours.hues[2], "stroke-width": 2.4 }),
      s("path", { d: path(data.fresh[key]), fill: "none", stroke: "currentColor", "stroke-width": 1.6, "stroke-dasharray": DASH }),
      s("text", { x: (left + right) / 2, y: bottom + 32, "text-anchor": "middle" }, across),
      s("text", { x: 0, y: 0, transform: `translate(12 ${(top + bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, up),
    );
    const [test, fresh] = ["test", "fresh"].map((part) => point(data[part]));
    if (fresh[1] !== null) parts.push(s("circle", { cx: x(fresh[0]), cy: y(fresh[1]), r: 5, fill: "none", stroke: "currentColor", "stroke-width": 2 }));
    if (test[1] !== null) parts.push(s("circle", { cx: x(test[0]), cy: y(test[1]), r: 5, fill: colours.hues[2] }));
    target.svg.replaceChildren(...parts);
    target.title.textContent = title;
    target.svg.setAttribute("aria-label", `${title}: working point ${percent(test[0])}, ${test[1] === null ? "no alarm" : percent(test[1])}`);
  }

  function placeSlider() {
    const { edges } = data.histogram;
    const ends = [Math.floor(10 * edges[0]) / 10, Math.ceil(10 * edges.at(-1)) / 10];
    [slide.min, slide.max] = ends.map(String);
    if (document.activeElement !== slide || page.state.threshold === null || page.state.peek !== "no") {
      slide.value = data.threshold;
      threshold.querySelector("output").textContent = `× ${brief(2 ** data.threshold)}`;
      slide.setAttribute("aria-valuetext", `× ${brief(2 ** data.threshold)}`);
    }
    peek.querySelector("select").value = page.state.peek;
  }

  return (answer) => {
    data = answer;
    const colours = palette(page.root);
    for (const [{ svg }, chart] of [[scores, SCORES], [costs, COSTS], [roc, SQUARE], [pr, SQUARE]]) stretch(svg, chart);
    drawScores(colours);
    drawCosts(colours);
    drawSquare(roc, "roc", (part) => [part.false_alarm_rate, 1 - part.miss_rate],
      `ROC: area ${format(data.test.auroc, 3)}`, "false alarms", "anomalies found", colours);
    drawSquare(pr, "pr", (part) => [1 - part.miss_rate, part.precision],
      "Precision and recall", "anomalies found", "alarms that are right", colours);
    placeSlider();
    promise.textContent = data.promise;
    promise.dataset.peek = String(data.by === "peek");
    account.textContent = data.text;
  };
}

export default { render: (context) => mount(context, "alarm", buildAlarmDesk) };
