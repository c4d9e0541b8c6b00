function buildChainRuleScope(page) {
  const { setup } = page;
  const SUBSCRIPTS = ["₁", "₂"];
  const VANISHING = 0.05; // a slope below it is set in bold
  const PIXELS = 50; // of dragging, for one unit of weight
  const INPUTS = [[56, 100], [56, 300]];
  const UNITS = [[362, 100], [362, 300]];
  const OUTPUT = [657, 200];
  const LOSS = [803, 200];
  // Each weight: where its wire starts and ends, and where on it the number stands.
  const WIRES = {
    w11: [INPUTS[0], UNITS[0], [189, 100]],
    w12: [INPUTS[1], UNITS[0], [150, 237]],
    b1: [[362, 26], UNITS[0], [362, 26]],
    w21: [INPUTS[0], UNITS[1], [150, 163]],
    w22: [INPUTS[1], UNITS[1], [189, 300]],
    b2: [[362, 374], UNITS[1], [362, 374]],
    v1: [[453, 78], [566, 178], [510, 128]],
    v2: [[453, 322], [566, 222], [510, 272]],
    c: [[657, 100], OUTPUT, [657, 100]],
  };
  let data = null;
  let drag = null;

  const presets = page.presets();
  const loss = page.select("loss", { label: "loss", options: setup.losses });
  const hidden = page.select("hidden", { label: "hidden", options: setup.hidden });
  const target = page.select("target", {
    label: "label y", options: [[1, "1"], [0, "0"]], read: Number,
  });
  const inputs = ["x1", "x2"].map((key, i) =>
    page.slider(key, {
      label: `x${SUBSCRIPTS[i]}`, min: -setup.input_limit, max: setup.input_limit, step: 0.1,
      write: (value) => format(value, 1),
    }),
  );
  const step = h(
    "button",
    { type: "button", class: "ce-step", onclick: (event) => {
      page.change({ weights: data.stepped }, event);
      page.synchronize();
    } },
    `one step downhill (rate ${setup.learning_rate})`,
  );

  // ---- the graph: wires below, then boxes, then the weights that can be moved
  const wires = {};
  const halos = {};
  const knobs = {};
  const texts = {};
  const label = (key, x, y, attributes = {}) => {
    texts[key] = s("text", { x, y, "text-anchor": "middle", ...attributes });
    return texts[key];
  };
  function box([x, y], width, height, lines) {
    return s(
      "g", { class: "ce-node" },
      s("rect", { x: x - width / 2, y: y - height / 2, width, height, rx: 6 }),
      ...lines.map(([key, kind], i) =>
        label(key, x, y + 4 + 20 * (i - (lines.length - 1) / 2), { class: kind })),
    );
  }
  function knob([name, symbol]) {
    const [, , [x, y]] = WIRES[name];
    const node = s(
      "g",
      {
        class: "ce-weight", tabindex: 0, role: "slider", "data-key": name,
        "data-lm-suppress-shortcuts": "true", "aria-label": `weight ${symbol}`,
        "aria-valuemin": -setup.limit, "aria-valuemax": setup.limit, "aria-orientation": "vertical",
      },
      s("rect", { x: x - 56, y: y - 19, width: 112, height: 38, rx: 12 }),
      label(name, x, y - 3, { class: "" }),
      label(`d${name}`, x, y + 13, { class: "ce-backward" }),
    );
    node.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      node.setPointerCapture(event.pointerId);
      node.focus();
      drag = { name, from: event.clientY, value: page.state.weights[name] };
    });
    node.addEventListener("pointermove", (event) => {
      if (drag?.name === name) move(name, drag.value + (drag.from - event.clientY) / PIXELS, event, 0.05);
    });
    for (const end of ["pointerup", "pointercancel"]) node.addEventListener(end, () => { drag = null; });
    node.addEventListener("focus", (event) => {
      if (page.state.selected !== name) page.change({ selected: name }, event);
    });
    node.addEventListener("keydown", (event) => {
      const now = page.state.weights[name];
      const small = event.shiftKey ? 1 : 0.1;
      const moved = {
        ArrowUp: now + small, ArrowRight: now + small, ArrowDown: now - small, ArrowLeft: now - small,
        PageUp: now + 1, PageDown: now - 1, Home: -setup.limit, End: setup.limit, 0: 0,
      }[event.key];
      if (moved === undefined) return;
      event.preventDefault();
      move(name, moved, event, 0.01);
    });
    knobs[name] = node;
    return node;
  }
  function move(name, value, event, grid) {
    const kept = Math.min(setup.limit, Math.max(-setup.limit, value));
    const rounded = Number((Math.round(kept / grid) * grid).toFixed(2));
    if (rounded === page.state.weights[name]) return;
    page.change({ weights: { ...page.state.weights, [name]: rounded } }, event);
    writeWeight(name, rounded);
  }
  function writeWeight(name, value) {
    const symbol = setup.weights.find(([key]) => key === name)[1];
    texts[name].textContent = `${symbol} = ${brief(value)}`;
    knobs[name].setAttribute("aria-valuenow", value);
  }
  const path = ([[x1, y1], [x2, y2]]) => `M${x1} ${y1}L${x2} ${y2}`;
  for (const { 0: name } of setup.weights) {
    halos[name] = s("path", { class: "ce-halo", d: path(WIRES[name]) });
    wires[name] = s("path", { class: "ce-wire", d: path(WIRES[name]) });
  }
  const end = s("path", { class: "ce-wire", d: path([OUTPUT, LOSS]), stroke: "currentColor", "stroke-width": 1.5 });
  const graph = s(
    "svg", { class: "ce-graph", viewBox: "0 0 856 400", role: "group", "aria-label": "the network" },
    ...Object.values(halos), end, ...Object.values(wires),
    ...INPUTS.map((at, i) => box(at, 104, 50, [[`x${i}`, ""], [`dx${i}`, "ce-backward"]])),
    ...UNITS.map((at, i) =>
      box(at, 182, 92, [
        [`h${i}`, ""], [`dh${i}`, "ce-backward"], [`slope${i}`, "ce-backward"], [`dz${i}`, "ce-backward"],
      ])),
    box(OUTPUT, 182, 92, [
      ["p", ""], ["dp", "ce-backward"], ["slope", "ce-backward"], ["dz", "ce-backward"],
    ]),
    box(LOSS, 98, 92, [["y", ""], ["loss", ""], ["costs", ""], ["bits", "ce-bits"]]),
    ...setup.weights.map(knob),
  );

  const chain = h("p", { class: "ce-chain ce-mono", role: "status" });
  const signal = h("p", { class: "ce-signal ce-mono" });
  const verdict = h("p", { class: "ce-verdict", role: "status", hidden: true });
  const hint = h(
    "p", { class: "ce-hint" },
    "First line: forward. Green: backward, ∂w short for ∂L/∂w. Drag a weight up or down, or press "
      + "arrow keys on it (Shift: whole steps). Dashed wires are negative.",
  );
  page.body.append(
    presets,
    h("div", { class: "ce-row ce-bar" }, loss, hidden, target, ...inputs),
    h("div", { class: "ce-pictures" }, graph, h("div", { class: "ce-corner" }, hint, step)),
    chain, signal, verdict,
  );

  return (answer) => {
    data = answer;
    const { hues } = palette(page.root);
    graph.style.setProperty("--ce-back", hues[2]);
    const { weights, selected, target: y, loss: kind } = data.settings;
    const { gradients, back, output } = data;
    const cancels = kind === "cross_entropy";
    const say = (key, text) => {
      texts[key].textContent = text;
    };
    const mark = (key, slope) => texts[key].classList.toggle("ce-vanishing", slope < VANISHING);
    for (const [name, symbol] of setup.weights) {
      const w = weights[name];
      if (drag?.name !== name) writeWeight(name, page.state.weights[name]);
      say(`d${name}`, `∂${symbol} = ${brief(gradients[name])}`);
      knobs[name].setAttribute(
        "aria-valuetext", `${format(w, 2)}, gradient ${brief(gradients[name])}`,
      );
      knobs[name].classList.toggle("ce-selected", name === selected);
      knobs[name].classList.toggle("ce-differs", data.differs.includes(name));
      halos[name].classList.toggle("ce-lit", data.through.includes(name));
      const wire = wires[name];
      wire.setAttribute("stroke", hues[w < 0 ? 0 : 1]);
      wire.setAttribute("stroke-width", 1.2 + 0.55 * Math.abs(w));
      wire.setAttribute("stroke-dasharray", w < 0 ? "7 4" : "none");
    }
    SUBSCRIPTS.forEach((i, k) => {
      say(`x${k}`, `x${i} = ${brief(data.x[k])}`);
      say(`dx${k}`, `∂x${i} = ${brief(back.x[k])}`);
      say(`h${k}`, `z${i} = ${brief(data.z[k])} → h${i} = ${brief(data.h[k])}`);
      say(`dh${k}`, `∂h${i} = ${brief(back.h[k])}`);
      say(`slope${k}`, `× ${data.hidden}′(z${i}) = ${brief(data.slope[k])}`);
      say(`dz${k}`, `∂z${i} = ${brief(back.z_hidden[k])}`);
      mark(`slope${k}`, data.slope[k]);
    });
    say("p", `z = ${brief(output.z)} → p = ${brief(output.p)}`);
    say("dp", `∂p = ${brief(back.p)}`);
    say("slope", `× σ′(z) = ${brief(output.slope)}${cancels ? ", cancels" : ""}`);
    say("dz", `∂z = ${brief(back.z)}`);
    mark("slope", cancels ? 1 : output.slope);
    say("y", `y = ${y}`);
    say("loss", `L = ${brief(data.loss.value)}`);
    say("costs", `label ${y} costs`);
    say("bits", `${brief(data.loss.bits)} bits`);
    chain.textContent = data.chain;
    signal.textContent = data.signal;
    verdict.hidden = !data.verdict;
    verdict.textContent = data.verdict?.text ?? "";
    verdict.dataset.agrees = String(data.verdict?.agrees ?? "");
  };
}

export default { render: (context) => mount(context, "scope", buildChainRuleScope) };
