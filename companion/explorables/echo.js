function buildEcho(page) {
  const slider = page.slider("value", { label: "value", min: 0, max: 100 });
  const number = h("output", { class: "ce-number", "aria-live": "polite" });
  page.body.append(h("div", { class: "ce-row" }, slider, number));
  return (data) => {
    number.textContent = String(data.value);
  };
}

export default { render: (context) => mount(context, "echo", buildEcho) };
