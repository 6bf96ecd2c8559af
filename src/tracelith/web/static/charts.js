// Draws every chart of the page from the JSON beside it, in the page's own colours, and again when these change.
"use strict";
(() => {
  const config = {
    displayModeBar: false,
    displaylogo: false,
    responsive: true,
    scrollZoom: false,
    doubleClick: false,
    showSendToCloud: false,
    showTips: false,
  };
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const print = window.matchMedia("print");

  function colours() {
    const style = getComputedStyle(document.documentElement);
    const read = (name) => style.getPropertyValue(name).trim();
    return {
      ink: read("--ink"),
      line: read("--line"),
      raised: read("--raised"),
      low: read("--scale-low"),
      high: read("--scale-high"),
      family: getComputedStyle(document.body).fontFamily,
    };
  }

  function dress(figure, look) {
    const axis = { gridcolor: look.line, zerolinecolor: look.ink, linecolor: look.line, tickcolor: look.line };
    const layout = structuredClone(figure.layout);
    layout.paper_bgcolor = "rgba(0,0,0,0)";
    layout.plot_bgcolor = "rgba(0,0,0,0)";
    layout.font = { ...layout.font, color: look.ink, family: look.family };
    layout.hoverlabel = { bgcolor: look.raised, bordercolor: look.line, align: "left", font: { color: look.ink } };
    layout.xaxis = { ...axis, ...layout.xaxis };
    layout.yaxis = { ...axis, ...layout.yaxis };
    const data = structuredClone(figure.data);
    for (const trace of data) {
      if (trace.error_x && !trace.error_x.color) {
        trace.error_x.color = look.ink;
      }
      if (trace.type === "heatmap") {
        trace.colorscale = [[0, look.low], [1, look.high]];
      }
    }
    return { data, layout };
  }

  const charts = [...document.querySelectorAll("script[data-chart]")].map((source) => ({
    target: document.getElementById(source.dataset.chart),
    figure: JSON.parse(source.textContent),
  }));

  function draw() {
    const look = colours();
    const drawn = charts.map(({ target, figure }) => {
      const { data, layout } = dress(figure, look);
      return Plotly.react(target, data, layout, config);
    });
    return Promise.all(drawn).then(() => document.documentElement.setAttribute("data-charts", "drawn"));
  }

  draw();
  dark.addEventListener("change", draw);
  print.addEventListener("change", draw);
})();
