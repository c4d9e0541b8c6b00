function buildRankKnob(page) {
  const { setup } = page;
  // Heights in CSS pixels; the widths are what the page leaves.
  const SPECTRUM = { height: 196, left: 50, right: 700, top: 8, bottom: 158 };
  const CHART = { height: 210, left: 56, right: 340, top: 8, bottom: 170 };
  let data = null;

  const percent = (share) => `${brief(100 * share)} %`;
  const presets = page.presets();
  /** A slider over the measured ranks of one layer; turning it also looks at that layer. */
  const knob = (name, label) => {
    const ranks = setup.ranks[name];
    return page.slider(`rank_${name}`, {
      label, min: 0, max: ranks.length - 1, onchange: () => ({ layer: name }),
      read: (place) => ranks[place], place: (value) => ranks.indexOf(value),
    });
  };
  const [first, second] = setup.layers.map(([name, label]) => knob(name, label));
  const epochs = page.slider("epochs", { label: "fine-tuning", min: 0, max: setup.epochs.at(-1), write: (n) => `${n} epochs` });
  const layer = page.select("layer", { label: "layer shown", options: setup.layers });
  const scale = page.select("scale", { label: "spectrum", options: setup.scales });
  page.watch((state) => {
    layer.querySelector("select").value = state.layer;
  });

  const figure = (name) => {
    const title = h("figcaption");
    const svg = s("svg", { class: "ce-chart", role: "img" });
    return { title, svg, node: h("figure", { class: `ce-${name}` }, title, svg) };
  };
  const [spectrum, accuracy, cost] = ["spectrum", "accuracy", "cost"].map(figure);
  const account = h("p", { class: "ce-account", role: "status" });
  page.body.append(
    presets,
    h("div", { class: "ce-row ce-bar" }, first, second, epochs, layer, scale),
    h("div", { class: "ce-pictures" }, spectrum.node),
    h("div", { class: "ce-pair ce-pictures" }, accuracy.node, cost.node),
    account,
  );

  // ---- a click or a drag in a chart turns the knob of the layer shown
  const xOf = (place, { left, right } = CHART) => left + ((right - left) * (place + 0.5)) / data.ranks.length;
  /** Between the places of the measured ranks, for marks at other ranks. */
  function xOfRank(rank) {
    const { ranks } = data;
    const above = Math.max(1, ranks.findIndex((r) => r >= rank));
    const [a, b] = [ranks[above - 1], ranks[above]];
    return xOf(above - 1 + Math.max(0, Math.log(rank / a) / Math.log(b / a)));
  }
  const nearest = (rank) =>
    data.ranks.reduce((best, r) => (Math.abs(Math.log(r / rank)) < Math.abs(Math.log(best / rank)) ? r : best));
  function choosing({ svg }, chart, rankAt) {
    svg.classList.add("ce-clickable");
    const choose = (event) => {
      const box = svg.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * (chart.right + 8);
      const share = Math.min(0.9999, Math.max(0, (x - chart.left) / (chart.right - chart.left)));
      const key = `rank_${page.state.layer}`, value = rankAt(share);
      if (page.state[key] === value) return;
      page.change({ [key]: value }, event);
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
  choosing(spectrum, SPECTRUM, (share) => nearest(1 + share * (data.full - 1)));
  for (const target of [accuracy, cost]) {
    choosing(target, CHART, (share) => data.ranks[Math.floor(share * data.ranks.length)]);
  }

  /** Lines of a legend from (x, y) on: [attributes of a sample, text]. */
  const legend = (x, y, entries) => entries.flatMap(([attributes, text], i) => [
    s("path", { d: `M${x} ${y + 17 * i - 4}h20`, fill: "none", ...attributes }),
    s("text", { x: x + 26, y: y + 17 * i }, text),
  ]);
  const line = (stroke, dash = "none", width = 2) => ({ stroke, "stroke-dasharray": dash, "stroke-width": width });
  const grid = ({ left, right }, y, ticks, write) => ticks.flatMap((tick) => [
    s("path", { class: "ce-grid", d: `M${left} ${y(tick)}H${right}` }),
    s("text", { x: left - 5, y: y(tick) + 4, "text-anchor": "end" }, write(tick)),
  ]);

  function drawSpectrum(colours) {
    const { left, right, top, bottom } = SPECTRUM;
    const { spectrum: values, rank, full, energy_rank: energyRank, break_even: breakEven } = data;
    const isLog = data.settings.scale === "log";
    const highest = 1.05 * values[0];
    const least = Math.min(...values.filter((value) => value > 0)) / 1.2;
    const y = (value) => bottom - (bottom - top) * (isLog
      ? Math.max(0, Math.log(value / least) / Math.log(highest / least)) : value / highest);
    const x = (place) => left + ((right - left) * place) / full;
    const stairs = (from, to) => values.slice(from, to).map((value, i) => `${y(value).toFixed(1)}H${x(from + i + 1).toFixed(1)}`).join("V");
    const area = (from, to) => (from < to ? `M${x(from)} ${bottom}V${stairs(from, to)}V${bottom}Z` : "M0 0");
    const ticks = isLog
      ? [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10].filter((tick) => tick >= least && tick <= highest)
      : roundSteps(highest);
    const step = full > 150 ? 50 : 20;
    const parts = [
      ...grid(SPECTRUM, y, ticks, brief),
      s("path", { class: "ce-kept", d: area(0, rank), fill: colours.hues[0], "fill-opacity": 0.8 }),
      s("path", { class: "ce-cut", d: area(rank, full), fill: "currentColor", "fill-opacity": 0.22 }),
      s("path", { d: `M${x(rank)} ${top}V${bottom}`, ...line(colours.accent, "none", 2.4) }),
      s("path", { d: `M${x(energyRank)} ${top}V${bottom}`, ...line(colours.hues[1], "7 3") }),
      s("path", { d: `M${x(breakEven)} ${top + 52}V${bottom}`, ...line("currentColor", "2 3") }),
      s("path", { class: "ce-axis", d: `M${left} ${top}V${bottom}H${right}` }),
    ];
    for (let tick = 0; tick <= full; tick += step) {
      parts.push(s("text", { x: x(tick), y: bottom + 16, "text-anchor": tick === full ? "end" : "middle" }, String(tick)));
    }
    parts.push(
      s("text", { x: (left + right) / 2, y: bottom + 32, "text-anchor": "middle" }, "place of the singular value"),
      ...legend(right - 210, top + 12, [
        [{ ...line(colours.hues[0]), "stroke-width": 9, "stroke-opacity": 0.8 }, `kept: ${percent(data.energy)} of the energy`],
        [line(colours.hues[1], "7 3"), `90 % of the energy: rank ${energyRank}`],
        [line("currentColor", "2 3"), `break-even: rank ${breakEven}`],
      ]),
    );
    spectrum.svg.replaceChildren(...parts);
    spectrum.title.textContent = `Singular values of the layer ${data.settings.layer}`;
    spectrum.svg.setAttribute("aria-label", `rank ${rank} of ${full} keeps ${percent(data.energy)} of the energy; 90 % need rank ${energyRank}`);
  }

  /** Axes and the chosen place, for both lower charts. */
  function frame() {
    const { left, right, top, bottom } = CHART;
    const half = (right - left) / data.ranks.length / 2;
    return [
      s("rect", { class: "ce-chosen", x: xOf(data.place) - half, y: top, width: 2 * half, height: bottom - top }),
      ...data.ranks.map((rank, i) => s("text", { x: xOf(i), y: bottom + 16, "text-anchor": "middle" }, String(rank))),
      s("path", { class: "ce-axis", d: `M${left} ${top}V${bottom}H${right}` }),
      s("text", { x: (left + right) / 2, y: bottom + 33, "text-anchor": "middle" }, `rank of the layer ${data.settings.layer}`),
    ];
  }
  const path = (values, y) => `M${values.map((value, i) => `${xOf(i).toFixed(1)} ${y(value).toFixed(1)}`).join("L")}`;
  const dots = (values, y, attributes) => values.map((value, i) => s("circle", { cx: xOf(i), cy: y(value), r: 3, ...attributes }));

  function drawAccuracy(colours) {
    const { left, right, top, bottom } = CHART;
    const { before, after, whole, place, settings } = data;
    const y = (share) => bottom - (bottom - top) * share;
    const isTuned = settings.epochs > 0;
    const parts = [
      ...frame(), ...grid(CHART, y, [0, 0.2, 0.4, 0.6, 0.8, 1], (v) => `${format(100 * v)} %`),
      s("path", { d: `M${left} ${y(whole)}H${right}`, ...line("currentColor", "2 4", 1.6) }),
      s("path", { class: "ce-before", d: path(before, y), fill: "none", ...line(colours.hues[0], "none", 2.4) }),
      ...dots(before, y, { fill: colours.hues[0] }),
    ];
    if (isTuned) {
      parts.push(
        s("path", { class: "ce-after", d: path(after, y), fill: "none", ...line(colours.hues[1], "7 3", 2.4) }),
        ...dots(after, y, { fill: colours.hues[1] }),
      );
    }
    const chosen = isTuned ? after[place] : before[place];
    parts.push(
      s("circle", { class: "ce-here", cx: xOf(place), cy: y(chosen), r: 7, fill: "none", stroke: "currentColor", "stroke-width": 2 }),
      ...legend(right - 170, bottom - (isTuned ? 46 : 29), [
        [line(colours.hues[0], "none", 2.4), "as cut"],
        ...(isTuned ? [[line(colours.hues[1], "7 3", 2.4), `${settings.epochs} epoch${settings.epochs > 1 ? "s" : ""} later`]] : []),
        [line("currentColor", "2 4", 1.6), "whole network"],
      ]),
    );
    accuracy.svg.replaceChildren(...parts);
    accuracy.title.textContent = "Held-out accuracy";
    accuracy.svg.setAttribute("aria-label", data.text);
  }

  function drawCost(colours) {
    const { left, right, top, bottom } = CHART;
    const { layer_adds: adds, layer_whole: whole, place, break_even: breakEven } = data;
    const highest = 1.35 * whole;
    const y = (value) => bottom - ((bottom - top) * Math.min(value, highest)) / highest;
    const width = (0.62 * (right - left)) / data.ranks.length;
    const parts = [
      ...frame(), ...grid(CHART, y, roundSteps(highest), (v) => format(v)),
      ...adds.map((value, i) => s("rect", {
        x: xOf(i) - width / 2, y: y(value), width, height: bottom - y(value), fill: colours.hues[2], "fill-opacity": i === place ? 1 : 0.6,
      })),
      s("path", { d: `M${left} ${y(whole)}H${right}`, ...line("currentColor", "2 4", 1.6) }),
      s("path", { class: "ce-even", d: `M${xOfRank(breakEven)} ${top + 30}V${bottom}`, ...line(colours.hues[1], "7 3") }),
      ...legend(left + 8, top + 10, [
        [line("currentColor", "2 4", 1.6), `one layer: ${format(whole)}`],
        [line(colours.hues[1], "7 3"), `break-even: rank ${breakEven}`],
      ]),
    ];
    cost.svg.replaceChildren(...parts);
    cost.title.textContent = "Multiply-adds of the layer";
    cost.svg.setAttribute("aria-label", `${format(adds[place])} multiply-adds, in one piece ${format(whole)}`);
  }

  return (answer) => {
    data = answer;
    const colours = palette(page.root);
    for (const [{ svg }, chart] of [[spectrum, SPECTRUM], [accuracy, CHART], [cost, CHART]]) stretch(svg, chart);
    drawSpectrum(colours);
    drawAccuracy(colours);
    drawCost(colours);
    account.textContent = data.text;
  };
}

export default { render: (context) => mount(context, "knob", buildRankKnob) };
