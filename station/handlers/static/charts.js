// What the charts of all pages share: the colours of the theme, and a chart as a picture in a file.

const Charts = (() => {
  const PICTURE_SCALE = 2; // A picture for a report has twice the points of the screen.

  // ECharts wants plain colours: what the theme says is painted on the card's ground and looked at.
  function colour(box, name) {
    const paint = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    for (const layer of ["--tblr-bg-surface", name]) {
      box.style.color = `var(${layer})`;
      paint.fillStyle = getComputedStyle(box).color;
      paint.fillRect(0, 0, 1, 1);
    }
    box.style.color = "";
    const [red, green, blue] = paint.getImageData(0, 0, 1, 1).data;
    return `rgb(${red}, ${green}, ${blue})`;
  }

  function theme(box) {
    const of = (name) => colour(box, `--tblr-${name}`);
    return {
      text: of("secondary"), line: of("border-color"), surface: of("bg-surface"), body: of("body-color"),
      primary: of("primary"), good: of("green"), bad: of("red"), warning: of("orange"), faint: of("bg-surface-tertiary"),
      font: getComputedStyle(document.body).fontFamily,
    };
  }

  function tooltip(colours, formatter) {
    return {
      renderMode: "richText", // The other mode writes style attributes, which the page forbids.
      backgroundColor: colours.surface,
      borderColor: colours.line,
      textStyle: { color: colours.body },
      formatter,
    };
  }

  // The span that is looked at: a bar below the chart, the wheel with Ctrl, two fingers.
  function zoom(colours, axis = {}) {
    return [
      { type: "inside", filterMode: "none", zoomOnMouseWheel: "ctrl", ...axis },
      {
        type: "slider", filterMode: "none", height: 18, bottom: 6, showDetail: false, brushSelect: false, ...axis,
        borderColor: colours.line, fillerColor: "rgba(127, 127, 127, .18)", dataBackground: { lineStyle: { color: colours.line }, areaStyle: { color: colours.line } },
        selectedDataBackground: { lineStyle: { color: colours.primary }, areaStyle: { color: colours.primary, opacity: 0.2 } },
        handleStyle: { color: colours.surface, borderColor: colours.text }, moveHandleSize: 0,
      },
    ];
  }

  function save(address, name) {
    const link = document.createElement("a");
    link.href = address;
    link.download = name;
    link.click();
  }

  function asSvg(chart, background) {
    const copy = echarts.init(null, null, { renderer: "svg", ssr: true, width: chart.getWidth(), height: chart.getHeight() });
    copy.setOption({ ...chart.getOption(), animation: false, backgroundColor: background });
    const text = copy.renderToSVGString();
    copy.dispose();
    return text;
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-picture]");
    if (!button) return;
    const box = document.getElementById(button.dataset.of);
    const chart = echarts.getInstanceByDom(box);
    if (!chart) return; // Nothing is drawn.
    const background = colour(box, "--tblr-bg-surface");
    const name = `${box.dataset.pictureName}.${button.dataset.picture}`;
    if (button.dataset.picture === "png") {
      save(chart.getDataURL({ type: "png", pixelRatio: PICTURE_SCALE, backgroundColor: background }), name);
      return;
    }
    const address = URL.createObjectURL(new Blob([asSvg(chart, background)], { type: "image/svg+xml" }));
    save(address, name);
    setTimeout(() => URL.revokeObjectURL(address), 0);
  });

  return { theme, tooltip, zoom };
})();
