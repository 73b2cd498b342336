"use strict";
// Scenes are made when they come near the window, and unmade when there are too many: browsers
// keep about sixteen drawing contexts. Flat charts need none.
(() => {
  const MOST = 8;
  const threeD = canDrawInSpace();
  const all = [...document.querySelectorAll("[data-scene]")];
  const figures = all.filter((figure) => threeD || "flat" in figure.dataset);
  const library = document.getElementById("plotly");
  const stored = document.getElementById("scenes");
  if (!figures.length || !library || !stored || !("DecompressionStream" in window)) return;
  if (threeD) document.documentElement.classList.add("scenes");

  function canDrawInSpace() {
    const canvas = document.createElement("canvas");
    const context = canvas.getContext("webgl2") || canvas.getContext("webgl");
    if (!context) return false;
    const release = context.getExtension("WEBGL_lose_context");
    if (release) release.loseContext();
    return true;
  }

  async function unpack(element) {
    const bytes = Uint8Array.from(atob(element.textContent.trim()), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  }

  let ready = null;
  function prepare() {
    ready = ready || (async () => {
      const script = document.createElement("script");
      script.nonce = library.nonce;
      script.textContent = await unpack(library);
      document.head.append(script);
      return JSON.parse(await unpack(stored));
    })();
    return ready;
  }

  const alive = [];
  const turned = ["toImage", "zoom3d", "pan3d", "orbitRotation", "resetCameraDefault3d"];
  const flat = ["toImage", "zoom2d", "pan2d", "resetScale2d"];
  const configure = (buttons) => ({ displaylogo: false, responsive: true, modeBarButtons: [buttons] });

  async function show(figure) {
    const scenes = await prepare();
    if (figure.classList.contains("live")) return;
    if (!("flat" in figure.dataset)) alive.push(figure);
    if (alive.length > MOST) hide(alive.shift());
    const target = figure.querySelector(".canvas");
    const { data, layout } = scenes[figure.dataset.scene];
    figure.classList.add("live");
    try {
      const config = configure(layout.scene ? turned : flat);
      await Plotly.newPlot(target, structuredClone(data), structuredClone(layout), config);
      figure.dataset.ready = "yes";
    } catch (error) {
      hide(figure);
      throw error;
    }
  }

  function hide(figure) {
    Plotly.purge(figure.querySelector(".canvas"));
    figure.classList.remove("live");
    delete figure.dataset.ready;
  }

  const observer = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) show(entry.target);
  }, { rootMargin: "200px" });
  figures.forEach((figure) => observer.observe(figure));
})();

// Paper has no folds.
window.addEventListener("beforeprint", () => {
  document.querySelectorAll("details").forEach((fold) => {
    fold.dataset.was = fold.open ? "open" : "";
    fold.open = true;
  });
});
window.addEventListener("afterprint", () => {
  document.querySelectorAll("details").forEach((fold) => { fold.open = fold.dataset.was === "open"; });
});
