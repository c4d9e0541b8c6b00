function buildEraseAndHeal(page) {
  const { setup } = page;
  const SIDE = 28;
  const SCALE = 9; // CSS pixels of one pixel in the two large pictures
  const SMALL = 4; // and in the row below
  let data = null;
  let rows = null; // the mask as it is drawn, row by row of "#" and "."
  let brush = { row: 14, column: 14, isDown: false };

  const presets = page.presets();
  const picture = page.select("picture", {
    label: "picture", options: setup.pictures.map((name) => [name, name]),
  });
  const another = h(
    "button",
    { type: "button", class: "ce-another", onclick: (event) =>
      page.change({ copy: (page.state.copy + 1) % setup.n_copies }, event) },
    "another one",
  );
  const kind = page.select("brush", { label: "brush", options: setup.brushes });
  const size = page.slider("size", { label: "width", min: setup.sizes[0], max: setup.sizes[1] });
  const method = page.select("fill", { label: "look at", options: setup.fills });
  const shown = page.select("shown", { label: "and see", options: setup.shown });
  const neighbours = page.slider("k", { label: "k of k-NN", min: 1, max: setup.most_neighbours });
  const components = page.slider("n_components", {
    label: "PCA axes", min: 5, max: setup.most_components, step: 5,
  });
  const clear = h(
    "button",
    { type: "button", class: "ce-clear", onclick: (event) => hideRows(Array(SIDE).fill(".".repeat(SIDE)), event) },
    "hide nothing",
  );

  const canvas = h("canvas", {
    tabindex: 0, role: "application", class: "ce-rubber",
    "aria-label": "the picture: arrow keys move the brush, space rubs out or brings back",
  });
  const large = h("canvas", { role: "img", class: "ce-large" });
  const canvasTitle = h("figcaption");
  const largeTitle = h("figcaption");
  const note = h("p", { class: "ce-hint" });
  const gallery = h("div", { class: "ce-gallery", role: "group", "aria-label": "ways to fill" });
  const account = h("p", { class: "ce-account", role: "status" });
  const verdict = h("p", { class: "ce-verdict", role: "status", hidden: true });

  page.body.append(
    presets,
    h(
      "div", { class: "ce-row ce-pictures" },
      h(
        "div", { class: "ce-column ce-settings" },
        picture, h("div", { class: "ce-buttons" }, another, clear), kind, size, method, shown, neighbours, components,
      ),
      h("figure", {}, canvasTitle, canvas),
      h("figure", {}, largeTitle, large),
    ),
    gallery, note, account, verdict,
  );

  // ---- the rubber
  const isHidden = (row, column) => rows[row][column] === "#";
  function hideRows(next, event) {
    rows = next;
    page.change({ mask: next }, event);
    page.synchronize();
    if (data) drawPicture(palette(page.root));
  }
  function rub(row, column, event) {
    const reach = page.state.size / 2;
    const sign = page.state.brush === "rub out" ? "#" : ".";
    // Pixels whose centre lies in a disc around the middle of the brush; one of even width sits between pixels.
    const middle = page.state.size % 2 ? 0 : 0.5;
    const next = rows.map((text, i) =>
      [...text].map((old, j) => ((i - row + middle) ** 2 + (j - column + middle) ** 2 <= reach ** 2 ? sign : old)).join(""),
    );
    hideRows(next, event);
  }
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientY - box.top, event.clientX - box.left].map(
      (distance) => Math.min(SIDE - 1, Math.max(0, Math.floor(distance / SCALE))),
    );
  };
  canvas.addEventListener("pointerdown", (event) => {
    const [row, column] = at(event);
    canvas.setPointerCapture(event.pointerId);
    brush = { row, column, isDown: true };
    rub(row, column, event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!brush.isDown) return;
    const [row, column] = at(event);
    // A quick hand leaves gaps between two events; the brush goes through them.
    const steps = Math.max(Math.abs(row - brush.row), Math.abs(column - brush.column));
    const [startRow, startColumn] = [brush.row, brush.column];
    for (let i = 1; i <= steps; i++) {
      brush.row = Math.round(startRow + ((row - startRow) * i) / steps);
      brush.column = Math.round(startColumn + ((column - startColumn) * i) / steps);
      rub(brush.row, brush.column, event);
    }
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, () => {
      brush.isDown = false;
    });
  }
  const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  canvas.addEventListener("keydown", (event) => {
    const step = ARROWS[event.key];
    if (step) {
      brush.row = Math.min(SIDE - 1, Math.max(0, brush.row + step[0]));
      brush.column = Math.min(SIDE - 1, Math.max(0, brush.column + step[1]));
      drawPicture(palette(page.root));
    } else if (event.key === " " || event.key === "Enter") {
      rub(brush.row, brush.column, event);
    } else return;
    event.preventDefault();
  });
  for (const type of ["focus", "blur"]) {
    canvas.addEventListener(type, () => data && drawPicture(palette(page.root)));
  }

  // ---- drawing
  /** `colour(row, column)` on a square canvas, with a thin frame. */
  function paint(target, scale, colours, colour) {
    const context = prepare(target, SIDE * scale, SIDE * scale);
    for (let i = 0; i < SIDE; i++) {
      for (let j = 0; j < SIDE; j++) {
        context.fillStyle = colour(i, j);
        context.fillRect(j * scale, i * scale, scale, scale);
      }
    }
    context.strokeStyle = colours.line;
    context.lineWidth = 1;
    context.strokeRect(0.5, 0.5, SIDE * scale - 1, SIDE * scale - 1);
    return context;
  }
  function drawPicture(colours) {
    const { image } = data;
    const context = paint(canvas, SCALE, colours, (i, j) => colours.grey(isHidden(i, j) ? 0.12 : image[i][j]));
    context.strokeStyle = colours.hues[1];
    context.globalAlpha = 0.75;
    context.beginPath();
    for (let i = 0; i < SIDE; i++) {
      for (let j = 0; j < SIDE; j++) {
        if (!isHidden(i, j)) continue;
        context.moveTo(j * SCALE, (i + 1) * SCALE);
        context.lineTo((j + 1) * SCALE, i * SCALE);
      }
    }
    context.stroke();
    context.globalAlpha = 1;
    if (document.activeElement === canvas) {
      context.setLineDash([3, 2]);
      context.strokeStyle = colours.accent;
      context.lineWidth = 2;
      context.strokeRect(brush.column * SCALE, brush.row * SCALE, SCALE, SCALE);
      context.setLineDash([]);
    }
    const n = rows.reduce((sum, text) => sum + text.split("#").length - 1, 0);
    canvasTitle.textContent = `Rub here: ${n} of 784 hidden`;
  }
  function drawLarge(colours) {
    const { image, fills, chosen } = data;
    const look = page.state.shown;
    const filled = fills[chosen];
    if (!filled || look === "true") {
      paint(large, SCALE, colours, (i, j) => colours.grey(image[i][j]));
      largeTitle.textContent = "The whole picture";
    } else if (look === "error") {
      paint(large, SCALE, colours, (i, j) => colours.signed(filled.pixels[i][j] - image[i][j], 1));
      largeTitle.textContent = `Where ${filled.name} errs`;
    } else {
      paint(large, SCALE, colours, (i, j) => colours.grey(Math.min(1, Math.max(0, filled.pixels[i][j]))));
      largeTitle.textContent = `Filled in: ${filled.name}`;
    }
    large.setAttribute("aria-label", largeTitle.textContent);
    note.textContent = look === "error" && filled
      ? "Blue: less ink than there was; orange: more. Numbers: mean squared error on the hidden pixels."
      : `Numbers: mean squared error on the hidden pixels, here and over ${setup.n_others} others with the same hole; the least is underlined.`;
  }
  let cards = [];
  function drawGallery(colours) {
    const { fills, best, best_of_others: common, chosen } = data;
    if (cards.length !== fills.length) {
      cards = fills.map((row) => {
        const small = h("canvas", { "aria-hidden": "true" });
        const name = h("span", { class: "ce-name" });
        const here = h("span", { class: "ce-here" });
        const others = h("span", { class: "ce-others" });
        const button = h(
          "button",
          { type: "button", class: "ce-card", "data-fill": row.key, onclick: (event) => {
            page.change({ fill: row.key }, event);
            page.synchronize();
          } },
          small, name, here, others,
        );
        return { button, small, name, here, others };
      });
      gallery.replaceChildren(...cards.map((card) => card.button));
    }
    fills.forEach((row, i) => {
      const { button, small, name, here, others } = cards[i];
      paint(small, SMALL, colours, (r, c) => colours.grey(Math.min(1, Math.max(0, row.pixels[r][c]))));
      name.textContent = row.name;
      here.textContent = `here ${brief(row.error)}`;
      here.classList.toggle("ce-least", i === best);
      others.textContent = row.others === null ? "" : `others ${brief(row.others)}`;
      others.classList.toggle("ce-least", i === common);
      button.setAttribute("aria-pressed", String(i === chosen));
      button.setAttribute(
        "aria-label",
        `${row.name}: error ${brief(row.error)}${i === best ? ", the least" : ""}; over others `
          + (row.others === null ? "not measured" : `${brief(row.others)}${i === common ? ", the least" : ""}`),
      );
    });
  }
  page.follow((state) => {
    rows = [...state.mask];
  });

  return (answer) => {
    data = answer;
    const colours = palette(page.root);
    if (page.root.dataset.busy !== "true") rows = [...page.state.mask];
    drawPicture(colours);
    drawLarge(colours);
    drawGallery(colours);
    account.textContent = data.text;
    verdict.hidden = !data.verdict;
    verdict.textContent = data.verdict?.text ?? "";
    verdict.dataset.agrees = String(data.verdict?.agrees ?? "");
  };
}

export default { render: (context) => mount(context, "erase", buildEraseAndHeal) };
