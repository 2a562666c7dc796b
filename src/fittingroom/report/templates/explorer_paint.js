// The explorer's pictures: values to colours on a canvas, outlines, and grids that are pointed at.
const explorerPaint = (() => {
  const SIDE = 672; // pixels of a large canvas, along its longer side

  const palette = (text) => text.match(/.{6}/g).map((colour) => `#${colour}`);

  // Fill `canvas` with one square a value; `low` takes the first colour, `high` the last. NaN stays empty.
  const map = (canvas, colours, { values, rows, columns, low = 0, high }) => {
    const cell = canvas.classList.contains("mini") ? 4 : Math.max(1, Math.round(SIDE / Math.max(rows, columns)));
    canvas.width = columns * cell;
    canvas.height = rows * cell;
    const pen = canvas.getContext("2d");
    const span = high > low ? high - low : 1;
    for (let place = 0; place < values.length; place += 1) {
      if (Number.isNaN(values[place])) continue;
      const level = Math.round((255 * (values[place] - low)) / span);
      pen.fillStyle = colours[Math.min(255, Math.max(0, level))];
      pen.fillRect((place % columns) * cell, Math.floor(place / columns) * cell, cell, cell);
    }
    return pen;
  };

  const picture = (canvas, image, share) => {
    const pen = canvas.getContext("2d");
    pen.imageSmoothingEnabled = false;
    pen.globalAlpha = share;
    pen.drawImage(image, 0, 0, canvas.width, canvas.height);
    pen.globalAlpha = 1;
  };

  const lines = (canvas, rows, columns) => {
    const pen = canvas.getContext("2d");
    pen.fillStyle = "rgb(160 160 160 / 0.55)";
    for (let row = 1; row < rows; row += 1) pen.fillRect(0, Math.round((row * canvas.height) / rows) - 1, canvas.width, 2);
    for (let column = 1; column < columns; column += 1) {
      pen.fillRect(Math.round((column * canvas.width) / columns) - 1, 0, 2, canvas.height);
    }
  };

  // White within black, to be seen on every colour.
  const outline = (canvas, left, top, width, height) => {
    const pen = canvas.getContext("2d");
    const line = Math.max(3, Math.round(SIDE / 110));
    for (const [colour, inset] of [["#000000", line / 2], ["#ffffff", 1.5 * line]]) {
      pen.strokeStyle = colour;
      pen.lineWidth = line;
      pen.strokeRect(left + inset, top + inset, width - 2 * inset, height - 2 * inset);
    }
  };

  const mark = (canvas, rows, columns, [row, column]) => {
    const [height, width] = [canvas.height / rows, canvas.width / columns];
    outline(canvas, column * width, row * height, width, height);
  };

  // Let a canvas be pointed at: `choose(row, column)` is called with the place of `grid()` = [rows, columns] under a click,
  // a tap, or a mouse that is dragged. Arrow keys are the page's affair.
  const pointed = (canvas, grid, choose) => {
    const pick = (event) => {
      const size = grid();
      if (!size) return;
      const box = canvas.getBoundingClientRect();
      const place = (offset, length, count) => Math.min(count - 1, Math.max(0, Math.floor((offset / length) * count)));
      choose(place(event.clientY - box.top, box.height, size[0]), place(event.clientX - box.left, box.width, size[1]));
    };
    canvas.addEventListener("click", pick);
    canvas.addEventListener("pointermove", (event) => {
      if (event.pointerType === "mouse" && event.buttons === 1) pick(event);
    });
  };

  const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  // The place an arrow key leads to from [row, column], kept within the grid; null for any other key.
  const stepped = (key, [row, column], [rows, columns]) => {
    const step = STEPS[key];
    if (!step) return null;
    return [Math.min(rows - 1, Math.max(0, row + step[0])), Math.min(columns - 1, Math.max(0, column + step[1]))];
  };

  return { palette, map, picture, lines, outline, mark, pointed, stepped };
})();
