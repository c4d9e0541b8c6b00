function buildInductiveBias(page) {
  const { setup } = page;
  const DASHES = ["", "6 3"];
  let data = null;
  let timer = 0;

  const presets = page.presets();
  const model = page.select("model", { label: "model", options: setup.models.map((m) => [m, m]) });
  const order = page.select("order", { label: "points", options: setup.orders });
  const labels = page.select("labels", { label: "labels", options: setup.labels });
  const compare = page.select("compare", {
    label: "compare with", options: [["none", "nothing"]],
  });
  const view = page.select("view", { label: "shown", options: setup.views });
  const sent = page.slider("sent", {
    label: "sent", min: 1, max: setup.ends.length, write: (block) => format(setup.ends[block - 1]),
  });
  for (const control of [model, order, labels, compare, view, sent]) {
    control.addEventListener("input", () => stop());
  }
  const play = h(
    "button",
    { type: "button", class: "ce-play", onclick: (event) => (timer ? stop() : start(event)) },
    "send the labels",
  );
  function start(event) {
    play.textContent = "stop";
    step(1, event);
    timer = setInterval(() => {
      if (page.root.dataset.busy === "true") return;
      if (page.state.sent >= setup.ends.length) stop();
      else step(page.state.sent + 1);
    }, 350);
  }
  function step(block, event) {
    page.change({ sent: block }, event);
    page.synchronize();
  }
  function stop() {
    clearInterval(timer);
    timer = 0;
    play.textContent = "send the labels";
  }

  const measure = h(
    "button",
    { type: "button", class: "ce-measure", hidden: true, onclick: (event) => {
      page.change({}, event, data.offer);
      measure.disabled = true;
    } },
    "measure it now (one seed, up to a minute or two)",
  );
  const progress = h("progress", { hidden: true, "aria-label": "networks trained" });
  const missing = h("p", { class: "ce-hint ce-missing" });
  const account = h("p", { class: "ce-account", role: "status" });
  const chart = s("svg", { class: "ce-chart", viewBox: "0 0 560 330", role: "img" });

  page.body.append(
    presets,
    h(
      "div", { class: "ce-row ce-pictures" },
      h(
        "div", { class: "ce-column ce-settings" },
        model, order, labels, compare, view, sent, play, measure, progress, missing,
      ),
      h("div", { class: "ce-plot" }, chart, account),
    ),
  );

  const beside = compare.querySelector("select");
  function offer(curves) {
    if (beside.options.length === curves.length + 1) return;
    beside.replaceChildren(
      h("option", { value: "none" }, "nothing"),
      ...curves.map(([key, name]) => h("option", { value: key }, name)),
    );
    beside.value = page.state.compare;
  }
  function disable(control, values) {
    for (const option of control.querySelectorAll("option")) {
      const isMissing = values.includes(option.value);
      option.disabled = isMissing;
      option.title = isMissing ? "not measured" : "";
    }
  }

  function drawChart() {
    const { hues } = palette(page.root);
    const left = 62, right = 530, top = 14, bottom = 286;
    const isTotal = data.view === "total";
    const first = setup.ends[0];
    const x = isTotal
      ? (value) => left + ((right - left) * value) / data.n_labels
      : (value) => left + ((right - left) * Math.log(value / first)) / Math.log(data.n_labels / first);
    const highest = isTotal
      ? Math.max(data.uniform, ...data.curves.flatMap((curve) => curve.high)) * 1.04
      : Math.max(data.rate, ...data.curves.flatMap((curve) => curve.high)) * 1.08;
    const y = (value) => bottom - ((bottom - top) * value) / highest;
    const xTicks = isTotal ? roundSteps(data.n_labels) : setup.ends.filter((end, i) => (setup.ends.length - 1 - i) % 2 === 0);
    const yTicks = roundSteps(highest);
    const parts = [];
    for (const tick of yTicks) {
      parts.push(
        s("path", { class: "ce-grid", d: `M${left} ${y(tick)}H${right}` }),
        s("text", { x: left - 6, y: y(tick) + 4, "text-anchor": "end" }, format(tick, 1)),
      );
    }
    for (const tick of xTicks) {
      parts.push(
        s("path", { class: "ce-axis", d: `M${x(tick)} ${bottom}v4` }),
        s("text", { x: x(tick), y: bottom + 17, "text-anchor": "middle" }, format(tick)),
      );
    }
    parts.push(
      s("path", { class: "ce-axis", d: `M${left} ${top}V${bottom}H${right}` }),
      s("text", { x: (left + right) / 2, y: bottom + 36, "text-anchor": "middle" },
        isTotal ? "labels sent" : "labels sent (each step doubles them)"),
      s("text", { x: 14, y: (top + bottom) / 2, "text-anchor": "middle",
        transform: `rotate(-90 14 ${(top + bottom) / 2})` }, isTotal ? "bits so far" : "bits per label"),
    );
    const uniform = isTotal
      ? `M${x(0)} ${y(0)}L${x(data.n_labels)} ${y(data.uniform)}`
      : `M${left} ${y(data.rate)}H${right}`;
    parts.push(s("path", { d: uniform, stroke: "currentColor", "stroke-dasharray": "2 4", fill: "none", "stroke-width": 1.5 }));
    const legend = [["uniform code, no model", "currentColor", "2 4"]];
    data.curves.forEach((curve, i) => {
      const points = (values) => curve.x.map((at, k) => `${x(at).toFixed(1)} ${y(values[k]).toFixed(1)}`);
      parts.push(
        s("path", {
          d: `M${points(curve.low).join("L")}L${points(curve.high).reverse().join("L")}Z`,
          fill: hues[i], "fill-opacity": 0.22, stroke: "none",
        }),
        s("path", {
          class: "ce-curve", d: `M${points(curve.y).join("L")}`, fill: "none",
          stroke: hues[i], "stroke-width": 2.4, "stroke-dasharray": DASHES[i],
        }),
        ...curve.x.map((at, k) => s("circle", { cx: x(at), cy: y(curve.y[k]), r: 3, fill: hues[i] })),
      );
      const seeds = `${curve.n_seeds} seed${curve.n_seeds > 1 ? "s" : ""}`;
      legend.push([`${curve.name} (${seeds})`, hues[i], DASHES[i]]);
    });
    // The curves leave the upper left corner free (bits so far) or the lower left one (per label).
    const base = isTotal ? top + 12 : bottom - 12 - 18 * (legend.length - 1);
    legend.forEach(([name, colour, dash], i) => {
      const line = base + 18 * i;
      parts.push(
        s("path", { d: `M${left + 12} ${line}h26`, stroke: colour, "stroke-width": 2.4, "stroke-dasharray": dash }),
        s("text", { x: left + 45, y: line + 4 }, name),
      );
    });
    chart.replaceChildren(...parts);
    chart.setAttribute("aria-label", data.text);
  }

  return (answer) => {
    if (answer.partial) {
      const [done, all] = answer.progress;
      progress.hidden = false;
      Object.assign(progress, { value: done, max: all });
      account.textContent = `Measuring: ${done} of ${all} networks trained.`;
      return;
    }
    data = answer;
    progress.hidden = true;
    measure.hidden = !data.offer;
    measure.disabled = false;
    offer(data.measured);
    disable(model, data.missing.model);
    disable(order, data.missing.order);
    disable(labels, data.missing.labels);
    missing.textContent = data.missing.text;
    account.textContent = data.text;
    drawChart();
  };
}

export default { render: (context) => mount(context, "bias", buildInductiveBias) };
