// The explorer's grid of position similarities: one tile a patch, and one of them large.
const explorerTiles = (() => {
  const at = (name) => document.getElementById(`explorer-${name}`);
  let current = null; // the model's similarity: grid, values (cosines), least
  let chosen = [0, 0];
  let palette = [];

  const tile = () => {
    const [rows, columns] = current.grid;
    const start = (chosen[0] * columns + chosen[1]) * rows * columns;
    return current.values.slice(start, start + rows * columns);
  };

  const drawAll = () => {
    const [rows, columns] = current.grid;
    const [height, width] = [rows * rows + rows - 1, columns * columns + columns - 1];
    const values = new Array(height * width).fill(NaN);
    current.values.forEach((value, number) => {
      const [patch, other] = [Math.floor(number / (rows * columns)), number % (rows * columns)];
      const row = Math.floor(patch / columns) * (rows + 1) + Math.floor(other / columns);
      const column = (patch % columns) * (columns + 1) + (other % columns);
      values[row * width + column] = value;
    });
    explorerPaint.map(at("tiles"), palette, { values, rows: height, columns: width, low: current.least, high: 1 });
    const cell = at("tiles").width / width;
    const [top, left] = [chosen[0] * (rows + 1) * cell, chosen[1] * (columns + 1) * cell];
    explorerPaint.outline(at("tiles"), left, top, columns * cell, rows * cell);
  };

  const redraw = () => {
    const [rows, columns] = current.grid;
    drawAll();
    const values = tile();
    explorerPaint.map(at("tile"), palette, { values, rows, columns, low: current.least, high: 1 });
    explorerPaint.mark(at("tile"), rows, columns, chosen);
    const own = chosen[0] * columns + chosen[1];
    const best = explorerMaps.highest(values.map((value, place) => (place === own ? -2 : value)));
    const alike = explorerWords.spot(Math.floor(best / columns), best % columns);
    const cosine = values[best].toFixed(2).replace("-", "−");
    at("alike").textContent = `The position most similar to ${explorerWords.spot(...chosen)} is ${alike} (cosine ${cosine}).`;
    at("tile").setAttribute("aria-label", `Map of similarity. ${at("alike").textContent}`);
    at("tiles").setAttribute("aria-label", `Tiles for ${rows} by ${columns} patches; the arrow keys move from tile to tile`);
  };

  const choose = (row, column) => {
    chosen = [row, column];
    redraw();
  };

  // Show the model's positions, or nothing where it has none.
  const draw = async (model) => {
    const { similarity } = model;
    at("positions").hidden = !similarity;
    current = null;
    if (!similarity) return;
    const levels = new Uint8Array(await explorerMaps.inflate(similarity.packed));
    const values = [...levels].map((level) => (2 * level) / 255 - 1);
    const [rows, columns] = similarity.grid;
    current = { grid: similarity.grid, values, least: values.reduce((least, value) => Math.min(least, value), 1) };
    chosen = [Math.floor(rows / 2), Math.floor(columns / 2)];
    at("whose").textContent = model.title;
    at("sentence").textContent = similarity.sentence;
    at("least").textContent = current.least.toFixed(2).replace("-", "−");
    redraw();
  };

  const start = (colours) => {
    palette = colours;
    explorerPaint.pointed(at("tiles"), () => current && current.grid, choose);
    at("tiles").addEventListener("keydown", (event) => {
      const next = current && explorerPaint.stepped(event.key, chosen, current.grid);
      if (!next) return;
      choose(...next);
      event.preventDefault();
    });
  };

  const shown = () => current && { tile: chosen, values: tile(), least: current.least };
  return { start, draw, shown };
})();
