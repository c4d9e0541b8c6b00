function buildTreeSurgeon(page) {
  const { setup } = page;
  const SIDE = 8;
  const SCALE = 14; // CSS pixels of one pixel of a digit
  const TREE = { height: 234, left: 4, right: 720, top: 3, step: 48 };
  const CHART = { height: 160, left: 44, right: 280, top: 8, bottom: 120 };
  let data = null;

  const presets = page.presets();
  const afresh = { node: -1, swapped: [], moved: [] }; // nodes of another tree mean nothing here
  const depth = page.slider("depth", { label: "questions", min: 1, max: setup.most_questions });
  const queries = page.select("n_queries", {
    label: "queries", options: setup.n_queries, read: Number, onchange: () => afresh,
  });
  const digit = page.slider("case", {
    label: "digit", min: 0, max: setup.n_cases - 1, write: (n) => String(n + 1), onchange: () => ({ node: -1 }),
  });
  const axis = page.select("axis", { label: "chart along", options: setup.axes });
  const tree = s("svg", {
    class: "ce-chart ce-tree", role: "application", tabindex: 0, "data-lm-suppress-shortcuts": "true",
  });
  const picture = (name) => {
    const canvas = h("canvas", { role: "img" });
    const title = h("figcaption");
    return { canvas, title, node: h("figure", { class: `ce-${name}` }, title, canvas) };
  };
  const [filter, mean] = ["filter", "mean"].map(picture);
  const swap = h("button", { type: "button", class: "ce-swap", onclick: (event) => turn(event) }, "swap its sides");
  const undo = h(
    "button",
    { type: "button", class: "ce-undo", onclick: (event) => {
      page.change({ swapped: [], moved: [] }, event);
      page.synchronize();
    } },
    "undo all",
  );
  const cutId = newId("threshold");
  const cut = h("input", { id: cutId, type: "range", min: 0, max: setup.grey, step: 0.5, "data-key": "threshold" });
  const cutValue = h("output", { for: cutId });
  cut.addEventListener("input", (event) => {
    const at = data.selected;
    cutValue.textContent = cut.value;
    page.change({ node: at, moved: [...page.state.moved.filter(([node]) => node !== at), [at, Number(cut.value)]] }, event);
  });
  const knife = h(
    "div", { class: "ce-column ce-knife" },
    h("p", { class: "ce-title" }, "The knife"),
    h("div", { class: "ce-control" }, h("label", { for: cutId }, "threshold"), cut, cutValue),
    h("div", { class: "ce-buttons" }, swap, undo),
  );
  const chart = s("svg", { class: "ce-chart ce-clickable", role: "img" });
  const chartTitle = h("figcaption");
  const words = h("p", { class: "ce-words" });
  const account = h("p", { class: "ce-account", role: "status" });
  page.body.append(
    presets,
    h("div", { class: "ce-row ce-bar" }, depth, queries, digit, axis),
    h("div", { class: "ce-pictures" }, h("figure", {}, tree)),
    h(
      "div", { class: "ce-row ce-pictures ce-below" },
      filter.node, mean.node, knife, h("figure", { class: "ce-fidelity" }, chartTitle, chart),
    ),
    account, words,
    h("p", { class: "ce-hint" }, "Yes goes left. Click a node, or walk: up, left, right; space swaps the sides of a question. r3c5 is the pixel in row 3, column 5; ink has 16 levels. In leaves: the digit said, and for how many of its examples that is right."),
  );

  // ---- choosing a node, and operating on it
  function select(node, event) {
    if (node === null || node < 0) return;
    page.change({ node }, event);
    page.synchronize();
  }
  function turn(event) {
    if (!data?.is_split) return;
    const at = data.selected;
    const { swapped } = page.state;
    page.change({ node: at, swapped: swapped.includes(at) ? swapped.filter((node) => node !== at) : [...swapped, at].sort((a, b) => a - b) }, event);
    page.synchronize();
  }
  tree.addEventListener("keydown", (event) => {
    if (event.key === "ArrowUp") select(data.parent, event);
    else if (event.key === "ArrowLeft") select(data.children[0] ?? null, event);
    else if (event.key === "ArrowRight") select(data.children[1] ?? null, event);
    else if (event.key === "ArrowDown") select(data.children[data.nodes.findIndex((n) => n.id === data.children[1] && n.is_on_way) >= 0 ? 1 : 0] ?? null, event);
    else if (event.key === " " || event.key === "Enter") turn(event);
    else return;
    event.preventDefault();
  });

  const percent = (share) => `${format(100 * share, 1)} %`;
  function drawTree(colours) {
    stretch(tree, TREE);
    const { left, right, top, step } = TREE;
    const n = 1 + Math.max(...data.nodes.map((node) => node.place));
    const column = (right - left) / n;
    const x = (node) => left + (node.place + 0.5) * column;
    const y = (node) => top + node.level * step;
    const byId = new Map(data.nodes.map((node) => [node.id, node]));
    const parts = [];
    for (const isThick of [false, true]) {
      for (const node of data.nodes) {
        for (const id of node.children ?? []) {
          const child = byId.get(id);
          if ((node.is_on_way && child.is_on_way) !== isThick) continue;
          parts.push(s("path", {
            d: `M${x(node)} ${y(node) + 32}L${x(child)} ${y(child)}`, fill: "none",
            stroke: node.is_swapped ? colours.hues[1] : "currentColor",
            "stroke-width": isThick ? 3.5 : 1, "stroke-opacity": isThick ? 1 : 0.6,
            "stroke-dasharray": node.is_swapped ? "5 3" : "none",
          }));
        }
      }
    }
    for (const node of data.nodes) {
      const isQuestion = Boolean(node.children);
      const width = isQuestion ? 58 : Math.min(58, column - 3);
      const isHere = node.id === data.selected;
      const isChanged = node.is_swapped || node.is_moved;
      const lines = isQuestion
        ? [pixelName(node.pixel), `${node.is_swapped ? ">" : "≤"} ${node.at}`]
        : [String(node.label), node.hidden > 0 ? `+${format(node.hidden)}` : `${format((100 * node.n_right) / Math.max(1, node.n))} %`];
      parts.push(s(
        "g", { class: "ce-tree-node", "data-node": node.id, onclick: (event) => select(node.id, event) },
        s("rect", {
          x: x(node) - width / 2, y: y(node), width, height: 34, rx: isQuestion ? 4 : 12,
          fill: colours.grey(isQuestion ? 0.02 : 0.12),
          stroke: isChanged ? colours.hues[1] : isHere ? colours.accent : "currentColor",
          "stroke-width": isHere || isChanged ? 3 : node.is_on_way ? 2 : 0.8,
        }),
        s("text", { x: x(node), y: y(node) + 15, "text-anchor": "middle", "font-weight": node.is_on_way || !isQuestion ? 700 : 400 }, lines[0]),
        s("text", { x: x(node), y: y(node) + 29, "text-anchor": "middle", style: "font-size: 11px" }, lines[1]),
      ));
    }
    tree.replaceChildren(...parts);
    const from = data.root_depth > 0 ? `, from question ${data.root_depth + 1} on` : "";
    tree.setAttribute("aria-label", `the tree${from}; arrow keys walk, space swaps sides. ${data.words}`);
  }
  const pixelName = (pixel) => `r${Math.floor(pixel / SIDE) + 1}c${(pixel % SIDE) + 1}`;

  function paint({ canvas, title }, caption, colours, colour) {
    const context = prepare(canvas, SIDE * SCALE, SIDE * SCALE);
    for (let i = 0; i < SIDE * SIDE; i++) {
      context.fillStyle = colour(i);
      context.fillRect((i % SIDE) * SCALE, Math.floor(i / SIDE) * SCALE, SCALE, SCALE);
    }
    context.strokeStyle = colours.line;
    context.lineWidth = 1;
    context.strokeRect(0.5, 0.5, SIDE * SCALE - 1, SIDE * SCALE - 1);
    title.textContent = caption;
    canvas.setAttribute("aria-label", caption);
    return context;
  }
  function drawPictures(colours) {
    const { image, limits, case_says: says, network_says: truth } = data;
    const context = paint(filter, `tree: ${says}, net: ${truth}`, colours, (i) => colours.grey((0.8 * image[i]) / setup.grey));
    filter.canvas.setAttribute("aria-label", `the digit, and the pixels that the way asks: ${data.words}`);
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.font = "700 15px system-ui, sans-serif";
    for (const [pixel, low, high] of limits) {
      const [x, y] = [(pixel % SIDE) * SCALE, Math.floor(pixel / SIDE) * SCALE];
      context.fillStyle = low === null ? colours.hues[0] : colours.hues[1];
      context.fillRect(x + 0.5, y + 0.5, SCALE - 1, SCALE - 1);
      context.fillStyle = colours.grey(0);
      context.fillText(low === null ? "−" : high === null ? "+" : "±", x + SCALE / 2, y + SCALE / 2 + 1);
    }
    paint(mean, `mean of ${data.n_arrived}`, colours, (i) => colours.grey(data.mean ? data.mean[i] / setup.grey : 0));
  }

  function drawChart(colours) {
    stretch(chart, CHART);
    const { left, right, top, bottom } = CHART;
    const { curves, settings } = data;
    const isLeaves = settings.axis === "leaves";
    const most = Math.max(...Object.values(curves).flatMap((curve) => curve.leaves));
    const x = (place, leaves) => left + 8 + (right - left - 16) * (isLeaves
      ? Math.log(leaves / 2) / Math.log(most / 2) : (place - 1) / (setup.most_questions - 1));
    const y = (share) => bottom - (bottom - top) * share;
    const parts = [];
    for (const tick of [0, 0.25, 0.5, 0.75, 1]) {
      parts.push(
        s("path", { class: "ce-grid", d: `M${left} ${y(tick)}H${right}` }),
        s("text", { x: left - 4, y: y(tick) + 4, "text-anchor": "end" }, `${100 * tick} %`),
      );
    }
    for (const tick of isLeaves ? [2, 8, 32, 128, 512] : [1, 3, 5, 7, 9, 12]) {
      parts.push(s("text", { x: x(tick, tick), y: bottom + 15, "text-anchor": "middle" }, String(tick)));
    }
    const dashes = ["none", "7 3", "2 3"];
    Object.entries(curves).forEach(([n, { fidelity, leaves }], k) => {
      parts.push(
        s("path", {
          d: `M${fidelity.map((share, i) => `${x(i + 1, leaves[i]).toFixed(1)} ${y(share).toFixed(1)}`).join("L")}`,
          fill: "none", stroke: colours.hues[k], "stroke-width": 2.2, "stroke-dasharray": dashes[k],
        }),
        s("path", { d: `M${right - 128} ${bottom - 42 + 16 * k}h22`, fill: "none", stroke: colours.hues[k], "stroke-width": 2.4, "stroke-dasharray": dashes[k] }),
        s("text", { x: right - 101, y: bottom - 38 + 16 * k }, `${format(Number(n))} queries`),
      );
    });
    const here = x(settings.depth, data.n_leaves);
    if (data.n_operations > 0) {
      parts.push(s("path", { class: "ce-fall", d: `M${here} ${y(data.fidelity_before)}V${y(data.fidelity)}`, stroke: "currentColor", "stroke-width": 2, "stroke-dasharray": "3 2" }));
    }
    parts.push(
      s("circle", { class: "ce-here", cx: here, cy: y(data.fidelity), r: 6.5, fill: "none", stroke: "currentColor", "stroke-width": 2.4 }),
      s("path", { class: "ce-axis", d: `M${left} ${top}V${bottom}H${right}` }),
      s("text", { x: (left + right) / 2, y: bottom + 31, "text-anchor": "middle" }, isLeaves ? "leaves" : "questions at most"),
    );
    chart.replaceChildren(...parts);
    chartTitle.textContent = `Fidelity: ${percent(data.fidelity)}`;
    chart.setAttribute("aria-label", data.text);
  }
  const chooseDepth = (event) => {
    const box = chart.getBoundingClientRect();
    const place = ((event.clientX - box.left) / box.width) * (CHART.right + 8);
    const share = Math.min(1, Math.max(0, (place - CHART.left - 8) / (CHART.right - CHART.left - 16)));
    const { curves, settings } = data;
    const own = curves[settings.n_queries].leaves;
    const most = Math.max(...Object.values(curves).flatMap((curve) => curve.leaves));
    const wanted = 2 * (most / 2) ** share;
    const value = settings.axis === "leaves"
      ? own.reduce((best, n, i) => (Math.abs(Math.log(n / wanted)) < Math.abs(Math.log(own[best - 1] / wanted)) ? i + 1 : best), 1)
      : 1 + Math.round(share * (setup.most_questions - 1));
    if (value === page.state.depth) return;
    page.change({ depth: value }, event);
    page.synchronize();
  };
  chart.addEventListener("pointerdown", (event) => {
    chart.setPointerCapture(event.pointerId);
    chooseDepth(event);
  });
  chart.addEventListener("pointermove", (event) => {
    if (event.buttons & 1) chooseDepth(event);
  });

  return (answer) => {
    data = answer;
    const colours = palette(page.root);
    drawTree(colours);
    drawPictures(colours);
    drawChart(colours);
    swap.disabled = !data.is_split;
    undo.disabled = data.n_operations === 0;
    cut.disabled = !data.is_split;
    // The page's own state is ahead of the answer while the slider is dragged.
    const wanted = page.state.moved.find(([node]) => node === data.selected)?.[1] ?? data.threshold;
    if (data.is_split) cut.value = wanted;
    cutValue.textContent = data.is_split ? String(wanted) : "a leaf";
    account.textContent = data.text;
    words.textContent = data.words;
  };
}

export default { render: (context) => mount(context, "surgeon", buildTreeSurgeon) };
