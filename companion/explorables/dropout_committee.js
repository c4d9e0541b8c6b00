function buildDropoutCommittee(page) {
  const { setup } = page;
  // Heights in CSS pixels; the widths are what the page leaves.
  const BALLOT = { height: 232, left: 40, right: 322, top: 10, bottom: 196 };
  const SIZES = { height: 322, left: 46, right: 280, top: 8, bottom: 282 };
  const TICKS = [1, 2, 5, 10, 20, 50];
  let data = null;

  const presets = page.presets();
  const network = page.select("network", { label: "trained", options: setup.networks });
  const where = page.select("where", { label: "masks on", options: setup.where });
  const rate = page.slider("p", {
    label: "rate p", min: setup.rates[0], max: setup.rates[1], step: 0.05,
    read: (value) => Number(Number(value).toFixed(2)), write: (value) => format(value, 2),
  });
  const masks = page.slider("n_masks", { label: "masks", min: 1, max: setup.most_masks });
  const average = page.select("average", { label: "mean of", options: setup.averages });
  const shown = page.select("shown", { label: "right chart", options: setup.shown });
  const digit = page.slider("digit", {
    label: "digit", min: 0, max: setup.digits.length - 1, write: (place) => `a ${setup.digits[place].label}`,
  });
  const again = h(
    "button",
    { type: "button", class: "ce-again", onclick: (event) =>
      page.change({ draw: (page.state.draw + 1) % setup.n_draws }, event) },
    "draw other masks",
  );
  const hint = h(
    "p", { class: "ce-hint" },
    "Digits run from clear to doubtful. A click into the right chart sets the number of masks.",
  );

  const picture = h("canvas", { role: "img", class: "ce-digit" });
  const ballotTitle = h("figcaption");
  const legend = h("p", { class: "ce-hint ce-key" });
  const ballot = s("svg", { class: "ce-chart", role: "img" });
  const sizesTitle = h("figcaption");
  const sizes = s("svg", { class: "ce-chart ce-clickable", role: "img" });
  const account = h("p", { class: "ce-account", role: "status" });
  const verdict = h("p", { class: "ce-verdict", role: "status", hidden: true });

  page.body.append(
    presets,
    h(
      "div", { class: "ce-row ce-pictures" },
      h(
        "div", { class: "ce-column ce-settings" },
        network, where, rate, masks, average, digit, shown, again, hint,
      ),
      h("figure", { class: "ce-ballot" }, ballotTitle,
        h("div", { class: "ce-digit-row" }, picture, legend), ballot),
      h("figure", { class: "ce-sizes" }, sizesTitle, sizes),
    ),
    account, verdict,
  );

  // ---- a click or a drag in the right chart sets the size of the committee
  const xOf = (n) =>
    SIZES.left + ((SIZES.right - SIZES.left) * Math.log(n)) / Math.log(setup.most_masks);
  function choose(event) {
    const box = sizes.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * (SIZES.right + 8);
    const share = Math.min(1, Math.max(0, (x - SIZES.left) / (SIZES.right - SIZES.left)));
    const n = Math.round(setup.most_masks ** share);
    if (n === page.state.n_masks) return;
    page.change({ n_masks: n }, event);
    page.synchronize();
  }
  sizes.addEventListener("pointerdown", (event) => {
    sizes.setPointerCapture(event.pointerId);
    choose(event);
  });
  sizes.addEventListener("pointermove", (event) => {
    if (event.buttons & 1) choose(event);
  });

  let drawn = ""; // the digit and the paper that the picture and the legend were made for
  function drawDigit(colours) {
    const wanted = `${data.digit.place} ${colours.grey(0)}`;
    if (wanted === drawn) return;
    drawn = wanted;
    const { pixels, label } = setup.digits[data.digit.place];
    const scale = 3;
    const context = prepare(picture, 28 * scale, 28 * scale);
    pixels.forEach((row, i) => row.forEach((value, j) => {
      context.fillStyle = colours.grey(value);
      context.fillRect(j * scale, i * scale, scale, scale);
    }));
    context.strokeStyle = colours.line;
    context.strokeRect(0.5, 0.5, 28 * scale - 1, 28 * scale - 1);
    picture.setAttribute("aria-label", `a handwritten ${label}`);
    legend.replaceChildren(
      sample({ d: "M8 6h0.01M15 6h0.01M22 6h0.01", stroke: colours.hues[0], "stroke-width": 4.5, "stroke-linecap": "round" }),
      " each mask", h("br"),
      sample({ d: "M3 6H27", stroke: colours.hues[1], "stroke-width": 3 }), " their mean", h("br"),
      sample({ d: "M15 0l5 6l-5 6l-5 -6Z", fill: "none", stroke: "currentColor", "stroke-width": 1.6 }), " the scaled net", h("br"),
      "Below each class: how many chose it. Underlined: the right one.",
    );
  }

  /** Straight lines through x (1 to 50 masks, each step doubles) and a value at each size. */
  const line = (values, y) => `M${values.map((v, i) => `${xOf(i + 1).toFixed(1)} ${y(v).toFixed(1)}`).join("L")}`;
  /** Short lines that say what is what, at the left of a text. */
  const sample = (attributes) => s(
    "svg", { width: 30, height: 12, "aria-hidden": "true" }, s("path", attributes),
  );

  function drawBallot(colours) {
    const { left, right, top, bottom } = BALLOT;
    const { members, mean, scaled, counts } = data.votes;
    const isLogit = data.settings.average === "logits";
    const all = [...members.flat(), ...scaled];
    const [low, high] = isLogit ? [Math.min(...all), Math.max(...all)] : [0, 1];
    const room = 0.04 * (high - low || 1);
    const y = (v) => bottom - ((bottom - top) * (v - low + room)) / (high - low + 2 * room || 1);
    const column = (right - left) / 10;
    const x = (k, share = 0.5) => left + column * (k + share);
    const parts = [];
    const step = isLogit ? roundSteps(high - low || 1).at(1) : 0.25;
    for (let v = Math.ceil(low / step) * step; v <= high + 1e-9; v += step) {
      parts.push(
        s("path", { class: "ce-grid", d: `M${left} ${y(v)}H${right}` }),
        s("text", { x: left - 5, y: y(v) + 4, "text-anchor": "end" }, format(v, 2)),
      );
    }
    const n = members.length;
    for (let k = 0; k < 10; k++) {
      const dots = members.map((row, i) => `M${x(k, 0.2 + (0.6 * (i + 0.5)) / n).toFixed(1)} ${y(row[k]).toFixed(1)}h0.01`);
      const isLabel = k === data.digit.label;
      parts.push(
        s("path", { d: dots.join(""), stroke: colours.hues[0], "stroke-opacity": 0.55, "stroke-width": 4.5, "stroke-linecap": "round", fill: "none" }),
        s("path", { d: `M${x(k, 0.08)} ${y(mean[k])}H${x(k, 0.92)}`, stroke: colours.hues[1], "stroke-width": 3 }),
        s("path", {
          d: `M${x(k)} ${y(scaled[k]) - 6}l5 6l-5 6l-5 -6Z`, fill: "none", stroke: "currentColor", "stroke-width": 1.6,
        }),
        s("text", { x: x(k), y: bottom + 16, "text-anchor": "middle", "font-weight": isLabel ? 700 : 400 }, String(k)),
        s("text", { x: x(k), y: bottom + 32, "text-anchor": "middle" }, counts[k] || ""),
      );
      if (isLabel) {
        parts.push(s("path", { d: `M${x(k, 0.25)} ${bottom + 19.5}H${x(k, 0.75)}`, stroke: "currentColor", "stroke-width": 1.5 }));
      }
    }
    parts.push(s("path", { class: "ce-axis", d: `M${left} ${top}V${bottom}H${right}` }));
    ballot.replaceChildren(...parts);
    ballot.setAttribute("aria-label", data.text);
    ballotTitle.textContent = `${isLogit ? "Logits" : "Probabilities"} for this ${data.digit.label}`;
  }

  function drawSizes(colours) {
    const { left, right, top, bottom } = SIZES;
    const { y: values, law, level, alone } = data.curve;
    const isVariance = data.settings.shown === "variance";
    const n = data.settings.n_masks;
    const all = [...values, ...(law ?? []), ...(alone ?? []), ...(level === null ? [] : [level])];
    let y, ticks, write;
    if (isVariance) {
      const positive = all.filter((v) => v > 0);
      const low = Math.floor(Math.log10(Math.min(...positive, 1)));
      const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...positive, 1e-12))));
      y = (v) => bottom - ((bottom - top) * (Math.log10(Math.max(v, 10 ** low)) - low)) / (high - low);
      ticks = Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i));
      write = brief;
    } else {
      const low = Math.max(0, Math.min(...all) - 0.01);
      const high = Math.min(1, Math.max(...all) + 0.01);
      const step = roundSteps(high - low).at(1);
      y = (v) => bottom - ((bottom - top) * (v - low)) / (high - low);
      ticks = [];
      for (let v = Math.ceil(low / step) * step; v <= high + 1e-9; v += step) ticks.push(v);
      write = (v) => `${format(100 * v, 1)} %`;
    }
    const parts = [];
    for (const tick of ticks) {
      parts.push(
        s("path", { class: "ce-grid", d: `M${left} ${y(tick)}H${right}` }),
        s("text", { x: left - 5, y: y(tick) + 4, "text-anchor": "end" }, write(tick)),
      );
    }
    for (const tick of TICKS) {
      parts.push(
        s("path", { class: "ce-axis", d: `M${xOf(tick)} ${bottom}v4` }),
        s("text", { x: xOf(tick), y: bottom + 17, "text-anchor": "middle" }, String(tick)),
      );
    }
    parts.push(
      s("path", { class: "ce-axis", d: `M${left} ${top}V${bottom}H${right}` }),
      s("text", { x: (left + right) / 2, y: bottom + 36, "text-anchor": "middle" }, "masks in the committee"),
    );
    const words = []; // [text, colour, dash], written into the free corner
    if (alone) {
      const [low, mean, high] = alone;
      parts.push(
        s("path", { d: `M${left} ${y(low)}H${right}V${y(high)}H${left}Z`, fill: colours.hues[0], "fill-opacity": 0.16 }),
        s("path", { d: `M${left} ${y(mean)}H${right}`, stroke: colours.hues[0], "stroke-width": 2, "stroke-dasharray": "8 3 2 3" }),
      );
      words.push(["one mask alone", colours.hues[0], "8 3 2 3"]);
    }
    if (law) {
      parts.push(s("path", { d: line(law, y), stroke: "currentColor", "stroke-width": 1.6, "stroke-dasharray": "2 4", fill: "none" }));
      words.push(["that of one, by masks", "currentColor", "2 4"]);
    }
    if (level !== null) {
      parts.push(s("path", { d: `M${left} ${y(level)}H${right}`, stroke: "currentColor", "stroke-width": 1.6, "stroke-dasharray": "2 4" }));
      words.push(["the scaled net", "currentColor", "2 4"]);
    }
    parts.push(
      s("path", { class: "ce-curve", d: line(values, y), stroke: colours.hues[1], "stroke-width": 2.4, fill: "none" }),
      s("path", { d: `M${xOf(n)} ${top}V${bottom}`, stroke: "currentColor", "stroke-opacity": 0.4 }),
      s("circle", { cx: xOf(n), cy: y(values[n - 1]), r: 5, fill: colours.hues[1] }),
    );
    words.push([isVariance ? "measured" : "their mean", colours.hues[1], "none"]);
    // The curves leave the lower right corner free, and the falling one the lower left.
    const base = bottom - 12 - 17 * (words.length - 1);
    const start = isVariance ? left + 10 : right - 140;
    words.forEach(([text, colour, dash], i) => {
      parts.push(
        s("path", { d: `M${start} ${base + 17 * i - 4}h24`, stroke: colour, "stroke-width": 2.2, "stroke-dasharray": dash }),
        s("text", { x: start + 30, y: base + 17 * i }, text),
      );
    });
    sizes.replaceChildren(...parts);
    const title = {
      accuracy: "Held-out accuracy",
      agreement: "Same answer as the scaled net",
      variance: "Variance of their mean",
    }[data.settings.shown];
    sizesTitle.textContent = title;
    const at = isVariance ? brief(values[n - 1]) : `${format(100 * values[n - 1], 1)} percent`;
    sizes.setAttribute("aria-label", `${title}: ${at} with ${n} masks`);
  }

  return (answer) => {
    data = answer;
    const colours = palette(page.root);
    stretch(ballot, BALLOT);
    stretch(sizes, SIZES);
    drawDigit(colours);
    drawBallot(colours);
    drawSizes(colours);
    account.textContent = data.text;
    verdict.hidden = !data.verdict;
    verdict.textContent = data.verdict?.text ?? "";
    verdict.dataset.agrees = String(data.verdict?.agrees ?? "");
  };
}

export default { render: (context) => mount(context, "committee", buildDropoutCommittee) };
