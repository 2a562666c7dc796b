// The explorer: choose an image, a model, a layer, a head; point at a patch and see where it looks.
(() => {
  const root = document.getElementById("explorer");
  if (!root || typeof DecompressionStream === "undefined") return;
  const { ANSWER, MEAN } = explorerMaps;
  const data = JSON.parse(document.getElementById("explorer-data").textContent);
  const colours = explorerPaint.palette(data.colours);
  const at = (name) => document.getElementById(`explorer-${name}`);
  const stillness = window.matchMedia("(prefers-reduced-motion: reduce)");
  const thumbs = [...root.querySelectorAll(".strip img")];
  const looks = [...root.querySelectorAll("label.look")];
  const first = Math.max(0, data.models.findIndex((model) => model.attention));
  const state = { image: 0, model: first, view: "attention", layer: 0, head: MEAN, depth: 0, query: null, beneath: false };
  let blocks = [];
  let shown = null;
  let timer = 0;
  let frame = 0;
  let looksDrawn = "";

  const model = () => data.models[state.model];
  const inside = () => model().attention;
  const middle = () => inside().grid.map((count) => Math.floor(count / 2));
  const block = () => blocks[state.model];
  const token = () => (state.query === ANSWER ? ANSWER : inside().prefix + state.query[0] * inside().grid[1] + state.query[1]);

  // Values over all tokens for a layer and head, or for a depth of the rollout.
  const tokensOf = (layer, head) => {
    if (state.view === "rollout") return explorerMaps.rollout(block(), state.depth, token());
    return explorerMaps.attention(block(), layer, head, token());
  };
  const patchesOf = (tokens) => [...tokens.slice(inside().prefix)];

  const currentMap = () => {
    if (!inside()) {
      const [rows, columns] = model().saliency;
      return { values: [...block().saliency].map((level) => level / 255), rows, columns, high: 1, elsewhere: 0 };
    }
    const tokens = tokensOf(state.layer, state.head);
    const [rows, columns] = inside().grid;
    const values = patchesOf(tokens);
    const elsewhere = tokens.slice(0, inside().prefix).reduce((sum, value) => sum + value, 0);
    return { values, rows, columns, high: Math.max(...values), elsewhere };
  };

  const seenThrough = (canvas, map) => {
    explorerPaint.map(canvas, colours, map);
    if (state.beneath) explorerPaint.picture(canvas, thumbs[state.image], 0.5);
  };

  const drawMap = (map) => {
    seenThrough(at("map"), map);
    if (inside() && state.query !== ANSWER) explorerPaint.mark(at("map"), map.rows, map.columns, state.query);
  };

  // Blend from what is drawn to `map`, unless the visitor prefers stillness.
  const blendTo = (map, from) => {
    cancelAnimationFrame(frame);
    if (!from || stillness.matches || from.values.length !== map.values.length) {
      drawMap(map);
      return;
    }
    const start = performance.now();
    const step = (now) => {
      const part = Math.min(1, (now - start) / 350);
      const mixed = (before, after) => before + part * (after - before);
      drawMap({ ...map, values: map.values.map((value, n) => mixed(from.values[n], value)), high: mixed(from.high, map.high) });
      if (part < 1) frame = requestAnimationFrame(step);
    };
    frame = requestAnimationFrame(step);
  };

  const drawImage = (map) => {
    const canvas = at("image");
    explorerPaint.map(canvas, colours, { ...map, values: [] });
    explorerPaint.picture(canvas, thumbs[state.image], 1);
    if (!inside()) return;
    explorerPaint.lines(canvas, map.rows, map.columns);
    if (state.query !== ANSWER) explorerPaint.mark(canvas, map.rows, map.columns, state.query);
  };

  const drawKey = (map) => {
    const words = explorerWords.key(model(), state, map);
    for (const part of ["low", "unit", "high"]) at(part).textContent = words[part];
    const even = inside() ? 1 / block().tokens : 0;
    at("even").hidden = at("even-words").hidden = !(even > 0 && even < map.high);
    at("even").style.left = `${(100 * even) / map.high}%`;
    at("even-words").textContent = `▼ evenly spread: ${explorerWords.percent(even)}`;
  };

  const headOf = (input) => (input.value === MEAN ? MEAN : Number(input.value));

  const drawMinis = () => {
    if (!inside() || state.view === "rollout") return;
    const [rows, columns] = inside().grid;
    const small = (input, layer, head) => {
      const values = patchesOf(tokensOf(layer, head));
      explorerPaint.map(input.parentElement.querySelector("canvas"), colours, { values, rows, columns, high: Math.max(...values) });
    };
    for (const input of at("layers").querySelectorAll("input")) small(input, Number(input.value), state.head);
    for (const input of at("heads").querySelectorAll("input")) small(input, state.layer, headOf(input));
  };

  const drawLooks = () => {
    const wanted = `${state.image} ${state.model} ${state.beneath}`;
    if (looksDrawn === wanted) return;
    looksDrawn = wanted;
    const image = data.images[state.image];
    const [rows, columns] = model().saliency;
    explorerPaint.map(at("seen"), colours, { values: [], rows, columns });
    explorerPaint.picture(at("seen"), thumbs[state.image], 1);
    at("seen").setAttribute("aria-label", `The image, a ${image.truth}`);
    at("truth").textContent = image.truth;
    looks.forEach((label, place) => {
      const [height, width] = data.models[place].saliency;
      const values = [...blocks[place].saliency].map((level) => level / 255);
      seenThrough(label.querySelector("canvas"), { values, rows: height, columns: width, high: 1 });
      const opinion = image.opinions[place];
      label.querySelector(".opinion").className = `opinion ${opinion.right ? "right" : "wrong"}`;
      label.querySelector(".opinion path").setAttribute("d", opinion.right ? "M1.5 6.500l3 3.2 6-7.2" : "M2 2l8 8M10 2l-8 8");
      label.querySelector(".judged").textContent = opinion.right ? "is right: " : "is wrong: ";
      label.querySelector(".guess").textContent = opinion.predicted;
      label.querySelector(".percent").textContent = opinion.percent;
      label.querySelector(".caption-of").textContent = `${data.models[place].method}. ${data.models[place].caption}`;
      label.querySelector("input").checked = place === state.model;
    });
  };

  const drawControls = () => {
    at("inside").hidden = !inside();
    at("image").tabIndex = inside() ? 0 : -1;
    at("image").classList.toggle("pointable", Boolean(inside()));
    at("map").classList.toggle("pointable", Boolean(inside()));
    at("beneath").checked = state.beneath;
    at("stage").classList.toggle("fine", Boolean(inside()) && Math.max(...inside().grid) > 8);
    at("under").textContent = explorerWords.underImage(model());
    at("image").setAttribute("aria-label", explorerWords.image(model()));
    if (!inside()) return;
    const rolling = state.view === "rollout";
    at("layers").hidden = at("heads").hidden = rolling;
    at("depth").hidden = !rolling;
    for (const input of at("inside").querySelectorAll("input[type=radio]")) {
      const chosen = { "explorer-view": state.view, "explorer-layer": state.layer, "explorer-head": state.head }[input.name];
      input.checked = input.value === String(chosen);
    }
    at("answer").textContent = explorerWords.answerButton(model());
    at("answer").setAttribute("aria-pressed", String(state.query === ANSWER));
    at("slider").max = block().layers;
    at("slider").value = state.depth;
    at("after").textContent = explorerWords.after(model(), state);
    at("slider").setAttribute("aria-valuetext", explorerWords.after(model(), state));
    at("play").textContent = timer ? "Pause" : "Play";
    // A rollout that plays would be read aloud at every step.
    at("told").setAttribute("aria-live", timer ? "off" : "polite");
  };

  const draw = (blend = false) => {
    const before = shown;
    const map = currentMap();
    shown = {
      ...map,
      image: state.image, index: data.images[state.image].index, place: model().place, layer: state.layer, head: state.head,
      view: inside() ? state.view : "saliency", depth: state.depth, query: inside() ? state.query : null,
    };
    drawControls();
    drawLooks();
    drawImage(map);
    blendTo(map, blend ? before : null);
    drawMinis();
    drawKey(map);
    const title = explorerWords.title(model(), state);
    const told = explorerWords.sentence(model(), state, map);
    at("title").textContent = `Inside the ${model().title}: ${title}`;
    at("told").textContent = told;
    at("map").setAttribute("aria-label", `Map: ${title}. ${told}`);
  };

  const play = () => {
    const step = () => {
      state.depth = state.depth >= block().layers ? 0 : state.depth + 1;
      timer = state.depth < block().layers ? setTimeout(step, 1100) : 0;
      draw(true);
    };
    if (timer) change({});
    else step();
  };

  const change = (values, blend = false) => {
    clearTimeout(timer);
    timer = 0;
    Object.assign(state, values);
    draw(blend);
  };

  const radio = (group, name, value, words) => {
    const label = document.createElement("label");
    label.innerHTML = '<input type="radio"><canvas class="mini" aria-hidden="true"></canvas><span></span>';
    Object.assign(label.querySelector("input"), { name: `explorer-${name}`, value });
    label.querySelector("input").setAttribute("aria-label", `${name === "head" ? "Head" : "Layer"} ${words}`);
    label.querySelector("span").textContent = words;
    group.append(label);
  };

  const fitControls = () => {
    if (!inside()) return;
    const [layers, heads] = inside().shape;
    for (const group of [at("layers"), at("heads")]) group.querySelectorAll("label").forEach((label) => label.remove());
    for (let layer = 0; layer < layers; layer += 1) radio(at("layers"), "layer", layer, String(layer + 1));
    radio(at("heads"), "head", MEAN, MEAN);
    for (let head = 0; head < heads; head += 1) radio(at("heads"), "head", head, String(head + 1));
    state.layer = Math.min(state.layer, layers - 1);
    if (state.head !== MEAN) state.head = Math.min(state.head, heads - 1);
    state.depth = Math.min(state.depth, layers);
    state.query ??= middle();
    if (state.query !== ANSWER) state.query = state.query.map((place, axis) => Math.min(place, inside().grid[axis] - 1));
  };

  const chooseModel = (place) => {
    state.model = place;
    fitControls();
    change({});
    if (at("positions")) explorerTiles.draw(model());
  };

  const chooseImage = async (image) => {
    const found = await Promise.all(data.models.map((each) => explorerMaps.unpack(each, image)));
    await thumbs[image].decode();
    if (Number(root.querySelector(".strip input:checked").value) !== image) return; // another was chosen meanwhile
    blocks = found;
    change({ image });
  };

  const cycle = (value, count, by) => (value + by + count) % count;
  const changeHead = (by) => {
    const { heads } = block();
    const next = cycle(state.head === MEAN ? 0 : state.head + 1, heads + 1, by);
    change({ head: next === 0 ? MEAN : next - 1 });
  };
  const changeDepth = (by) => {
    const { layers } = block();
    if (state.view === "rollout") change({ depth: Math.min(layers, Math.max(0, state.depth + by)) }, true);
    else change({ layer: Math.min(layers - 1, Math.max(0, state.layer + by)) });
  };
  const toggleAnswer = () => change({ query: state.query === ANSWER ? middle() : ANSWER });
  const keys = {
    "[": () => state.view === "attention" && changeHead(-1),
    "]": () => state.view === "attention" && changeHead(1),
    ",": () => changeDepth(-1),
    ".": () => changeDepth(1),
    a: toggleAnswer,
    A: toggleAnswer,
  };

  const onKey = (event) => {
    if (!inside() || event.metaKey || (event.ctrlKey && !event.altKey)) return; // AltGr, for brackets, is Ctrl with Alt
    const onImage = event.target === at("image");
    const from = state.query === ANSWER ? middle() : state.query;
    const next = onImage ? explorerPaint.stepped(event.key, from, inside().grid) : null;
    if (next) change({ query: state.query === ANSWER ? from : next });
    else if (keys[event.key]) keys[event.key]();
    else if (event.key === " " && onImage && state.view === "rollout") play();
    else return;
    event.preventDefault();
  };

  const listen = () => {
    root.addEventListener("change", ({ target }) => {
      if (target.name === "explorer-image") chooseImage(Number(target.value));
      else if (target.name === "explorer-model") chooseModel(Number(target.value));
      else if (target.name === "explorer-view") change({ view: target.value, depth: block().layers });
      else if (target.name === "explorer-layer") change({ layer: Number(target.value) });
      else if (target.name === "explorer-head") change({ head: headOf(target) });
      else if (target === at("beneath")) change({ beneath: target.checked });
    });
    at("slider").addEventListener("input", () => change({ depth: Number(at("slider").value) }, true));
    at("play").addEventListener("click", play);
    at("answer").addEventListener("click", toggleAnswer);
    at("stage").addEventListener("keydown", onKey);
    const choose = (row, column) => change({ query: [row, column] });
    for (const canvas of [at("image"), at("map")]) explorerPaint.pointed(canvas, () => inside() && inside().grid, choose);
  };

  const start = async () => {
    for (const canvas of root.querySelectorAll(".key canvas")) {
      explorerPaint.map(canvas, colours, { values: colours.map((_, level) => level), rows: 1, columns: 256, high: 255 });
    }
    root.querySelector(".strip input").checked = true;
    state.layer = Math.max(0, (inside() ? inside().shape[0] : 1) - 1);
    fitControls();
    await chooseImage(0);
    if (at("positions")) {
      explorerTiles.start(colours);
      await explorerTiles.draw(model());
    }
    listen();
    root.hidden = false;
    at("off").hidden = true;
    window.fittingroomExplorer = { shown: () => shown, tile: () => explorerTiles.shown() };
  };
  start();
})();
