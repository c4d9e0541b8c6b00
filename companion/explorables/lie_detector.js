function buildLieDetector(page) {
  const { setup } = page;
  const SIDE = 28;
  const SCALE = 6; // CSS pixels of one pixel in the two large pictures
  const SMALL = 4; // and in the map of the other network
  const CHART = { height: 186, left: 46, right: 340, top: 8, bottom: 146 };
  const METER = { height: 62, left: 8, right: 200 };
  const [BLACK, WHITE] = [[0, 0, 0], [255, 255, 255]]; // a baseline's name must hold on dark paper, too
  let data = null;

  const presets = page.presets();
  const image = page.slider("image", { label: "picture", min: 0, max: setup.n_images - 1, write: (n) => String(n + 1) });
  const method = page.select("method", { label: "method", options: setup.methods });
  const baseline = page.select("baseline", { label: "baseline", options: setup.baselines });
  const steps = page.slider("n_steps", {
    label: "steps", min: 0, max: setup.steps.length - 1,
    read: (place) => setup.steps[place], place: (value) => setup.steps.indexOf(value),
  });
  const share = page.slider("share", { label: "way", min: 0, max: 100, step: 5, write: (n) => `${n} %` });
  const network = page.select("network", { label: "network", options: setup.networks });
  const target = page.select("target", { label: "why", options: setup.classes, read: Number });
  const picture = (name) => {
    const canvas = h("canvas", { role: "img" });
    const title = h("figcaption");
    return { canvas, title, node: h("figure", { class: `ce-${name}` }, title, canvas) };
  };
  const [here, map, other] = ["here", "heat", "other"].map(picture);
  const meter = s("svg", { class: "ce-chart ce-meter", role: "img" });
  const meterTitle = h("p", { class: "ce-title" });
  const chart = (name, title) => {
    const svg = s("svg", { class: "ce-chart", role: "img" });
    return { svg, node: h("figure", { class: `ce-${name}` }, h("figcaption", {}, title), svg) };
  };
  const way = chart("way", "Logit, from the baseline to the picture");
  const deletion = chart("deletion", "Probability, as pixels are blackened");
  way.svg.classList.add("ce-clickable");
  const account = h("p", { class: "ce-account", role: "status" });
  page.body.append(
    presets,
    h("div", { class: "ce-row ce-bar" }, image, method, baseline, steps, share, network, target),
    h(
      "div", { class: "ce-row ce-pictures" },
      here.node, map.node, other.node,
      h("div", { class: "ce-side" }, meterTitle, h("figure", {}, meter),
        h("p", { class: "ce-hint" }, "Orange speaks for the class, blue against it; the strongest pixel has the full colour.")),
    ),
    h("div", { class: "ce-pair ce-pictures" }, way.node, deletion.node),
    account,
  );
  const chooseShare = (event) => {
    const box = way.svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * (CHART.right + 8);
    const far = Math.min(1, Math.max(0, (x - CHART.left) / (CHART.right - CHART.left)));
    const value = 5 * Math.round(20 * far);
    if (value === page.state.share) return;
    page.change({ share: value }, event);
    page.synchronize();
  };
  way.svg.addEventListener("pointerdown", (event) => {
    way.svg.setPointerCapture(event.pointerId);
    chooseShare(event);
  });
  way.svg.addEventListener("pointermove", (event) => {
    if (event.buttons & 1) chooseShare(event);
  });

  function paint({ canvas, title }, scale, caption, colours, colour) {
    const context = prepare(canvas, SIDE * scale, SIDE * scale);
    for (let i = 0; i < SIDE; i++) {
      for (let j = 0; j < SIDE; j++) {
        context.fillStyle = colour(i, j);
        context.fillRect(j * scale, i * scale, scale, scale);
      }
    }
    context.strokeStyle = colours.line;
    context.lineWidth = 1;
    context.strokeRect(0.5, 0.5, SIDE * scale - 1, SIDE * scale - 1);
    title.textContent = caption;
    canvas.setAttribute("aria-label", caption);
  }
  function drawPictures(colours) {
    const { settings } = data;
    const isTrained = settings.network === "trained";
    paint(here, SCALE, settings.share === 100 ? "The picture" : `${settings.share} % of the way`, colours, (i, j) => mix(BLACK, WHITE, data.picture[i][j]));
    paint(map, SCALE, `Why ${data.target}?${isTrained ? "" : " (random)"}`, colours, (i, j) => colours.signed(data.map[i][j], 1));
    const same = data.correlation === null ? "no correlation" : `ρ = ${brief(data.correlation)}`;
    paint(other, SMALL, `${isTrained ? "Random" : "Trained"}: ${same}`, colours, (i, j) => colours.signed(data.other[i][j], 1));
    other.canvas.setAttribute("aria-label", `map of the ${isTrained ? "random" : "trained"} network, rank correlation ${same}`);
  }

  /** Two bars from a common zero: what the logit rose, what the map sums to. */
  function drawMeter(colours) {
    stretch(meter, METER);
    const { left, right } = METER;
    const low = Math.min(0, data.sum, data.rise), high = Math.max(0, data.sum, data.rise, low + 1e-6);
    const x = (value) => left + ((right - left) * (value - low)) / (high - low);
    const bar = (value, y, fill) => s("rect", { x: Math.min(x(0), x(value)), y, width: Math.abs(x(value) - x(0)), height: 12, fill, "fill-opacity": 0.8 });
    meter.replaceChildren(
      s("text", { x: left, y: 11 }, `logit rose by ${brief(data.rise)}`), bar(data.rise, 15, colours.hues[0]),
      s("text", { x: left, y: 43 }, `map sums to ${brief(data.sum)}`), bar(data.sum, 47, colours.hues[1]),
      s("path", { d: `M${x(0)} 13V61`, stroke: "currentColor", "stroke-width": 1.2 }),
    );
    const missing = Math.abs(Math.round(100 * (data.rise - data.sum)) / 100);
    meterTitle.textContent = data.settings.is_integrated ? `The sum is off by ${brief(missing)}` : "Not made to add up";
    meter.setAttribute("aria-label", `the logit rose by ${brief(data.rise)}, the map sums to ${brief(data.sum)}`);
  }

  const line = (stroke, dash = "none", width = 2.2) => ({ fill: "none", stroke, "stroke-dasharray": dash, "stroke-width": width });
  const path = (values, x, y) => `M${values.map((value, i) => `${x(i / (values.length - 1)).toFixed(1)} ${y(value).toFixed(1)}`).join("L")}`;
  function frame(ticks, y, name) {
    const { left, right, top, bottom } = CHART;
    return [
      ...ticks.flatMap((tick) => [
        s("path", { class: "ce-grid", d: `M${left} ${y(tick)}H${right}` }),
        s("text", { x: left - 5, y: y(tick) + 4, "text-anchor": "end" }, brief(tick)),
      ]),
      ...[0, 25, 50, 75, 100].map((tick) => s("text", { x: left + ((right - left) * tick) / 100, y: bottom + 16, "text-anchor": tick === 100 ? "end" : "middle" }, `${tick} %`)),
      s("path", { class: "ce-axis", d: `M${left} ${top}V${bottom}H${right}` }),
      s("text", { x: (left + right) / 2, y: bottom + 33, "text-anchor": "middle" }, name),
    ];
  }
  const legend = (x, y, entries) => entries.flatMap(([attributes, text], i) => [
    s("path", { d: `M${x} ${y + 17 * i - 4}h20`, ...attributes }),
    s("text", { x: x + 26, y: y + 17 * i }, text),
  ]);
  function drawWay(colours) {
    stretch(way.svg, CHART);
    const { left, right, top, bottom } = CHART;
    const { risen, steps: sums, settings } = data;
    const values = settings.is_integrated ? [...risen, ...sums] : risen;
    const low = Math.min(0, ...values), high = Math.max(low + 1, ...values);
    const x = (far) => left + (right - left) * far;
    const y = (value) => bottom - ((bottom - top) * (value - low)) / (1.06 * (high - low));
    const size = roundSteps(high - low);
    const step = size[1] || 1;
    const ticks = [];
    for (let tick = Math.ceil(low / step) * step; tick <= high; tick += step) ticks.push(Math.round(tick / step) * step);
    const far = x(settings.share / 100);
    const rose = line(colours.hues[0]), collected = line(colours.hues[1], "7 3");
    const parts = [
      ...frame(ticks, y, "of the way"),
      s("path", { d: `M${far} ${top}V${bottom}`, ...line(colours.accent, "none", 2) }),
      s("path", { class: "ce-rose", d: path(risen, x, y), ...rose }),
    ];
    if (settings.is_integrated) {
      parts.push(
        s("path", { class: "ce-collected", d: path(sums, x, y), ...collected }),
        s("circle", { cx: far, cy: y(data.sum), r: 5, fill: colours.hues[1] }),
      );
    }
    const isHigh = risen.at(-1) > (low + high) / 2;
    parts.push(...legend(isHigh ? right - 170 : left + 12, isHigh ? bottom - 26 : top + 12, [
      [rose, "the logit rose"],
      ...(settings.is_integrated ? [[collected, `collected in ${settings.n_steps} step${settings.n_steps > 1 ? "s" : ""}`]] : []),
    ]));
    way.svg.replaceChildren(...parts);
    way.svg.setAttribute("aria-label", `the logit rises by ${brief(risen.at(-1))}${settings.is_integrated ? `, collected are ${brief(sums.at(-1))}` : ""}`);
  }
  function drawDeletion(colours) {
    stretch(deletion.svg, CHART);
    const { left, right, top, bottom } = CHART;
    const x = (far) => left + (right - left) * far;
    const y = (value) => bottom - (bottom - top) * value;
    const own = line(colours.hues[0]), random = line("currentColor", "2 4", 1.8);
    deletion.svg.replaceChildren(
      ...frame([0, 0.25, 0.5, 0.75, 1], y, "of the pixels, strongest first"),
      s("path", { class: "ce-random", d: path(data.random, x, y), ...random }),
      s("path", { class: "ce-own", d: path(data.deletion, x, y), ...own }),
      ...legend(right - 150, top + 14, [
        [own, `this map: ${brief(data.area)}`], [random, `random: ${brief(data.random_area)}`],
      ]),
    );
    deletion.svg.setAttribute("aria-label", `area under the deletion curve ${brief(data.area)}, in random order ${brief(data.random_area)}`);
  }

  return (answer) => {
    data = answer;
    const colours = palette(page.root);
    drawPictures(colours);
    drawMeter(colours);
    drawWay(colours);
    drawDeletion(colours);
    account.textContent = data.text;
  };
}

export default { render: (context) => mount(context, "detector", buildLieDetector) };
