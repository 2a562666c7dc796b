// The texts of the explorer: a sentence for every map, and the labels of its key and controls.
const explorerWords = (() => {
  const { ANSWER, MEAN } = explorerMaps;
  const percent = (value) => `${(100 * value).toFixed(1)}\u00a0%`;
  const spot = (row, column) => `row ${row + 1}, column ${column + 1}`;
  const ANSWERS = {
    class: ["Show the class token", "The class token"],
    mean: ["Show all patches together", "All patches, on average,"],
    weighted: ["Show all patches, as pooled", "All patches, weighted as in the pooling,"],
  };

  const answerButton = (model) => ANSWERS[model.attention.answer][0];

  const after = (model, { depth }) => (depth ? `after layer ${depth} of ${model.attention.shape[0]}` : "before the first layer");

  const title = (model, state) => {
    if (!model.attention) return model.method;
    if (state.view === "rollout") return `rollout ${after(model, state)}`;
    return `layer ${state.layer + 1}, ${state.head === MEAN ? "mean of its heads" : `head ${state.head + 1}`}`;
  };

  const withoutAttention = (model, map) => {
    const empty = map.values.some((value) => value > 0) ? "" : " The map of this image is empty.";
    const why = `The ${model.title} has no attention: its layers read fixed neighbourhoods.`;
    return `${why} This is its ${model.method}.${empty}`;
  };

  const sentence = (model, state, map) => {
    if (!model.attention) return withoutAttention(model, map);
    const who = state.query === ANSWER ? ANSWERS[model.attention.answer][1] : `The patch in ${spot(...state.query)}`;
    const rolling = state.view === "rollout";
    if (rolling && state.depth === 0) return `${who} before the first layer: nothing is mixed yet.`;
    const plural = state.query === ANSWER && model.attention.answer !== "class";
    const verb = rolling ? `draw${plural ? "" : "s"} most from` : `look${plural ? "" : "s"} most at`;
    const best = explorerMaps.highest(map.values);
    const place = spot(Math.floor(best / map.columns), best % map.columns);
    const others = model.attention.prefix > 1 ? "the tokens that are not patches" : "the class token";
    const apart = rolling ? "comes from" : "goes to";
    const rest = model.attention.prefix ? ` ${percent(map.elsewhere)} ${apart} ${others}, not on the map.` : "";
    return `${who} ${verb} ${place}: ${percent(map.high)}.${rest}`;
  };

  const key = (model, state, map) => {
    if (!model.attention) return { low: "0", unit: "share of the highest value", high: "1" };
    const unit = state.view === "rollout" ? "share of the content" : "share of the attention";
    return { low: "0\u00a0%", unit, high: percent(map.high) };
  };

  const underImage = ({ attention }) => {
    if (!attention) return "The image.";
    const beyond = attention.convolved ? " Convolutions come first, so a token also contains some of its surroundings." : "";
    return `Click a patch. There are ${attention.grid[0]} × ${attention.grid[1]} patches of ${attention.patch} × ${attention.patch} pixels.${beyond}`;
  };

  const image = ({ attention }) => {
    if (!attention) return "The image";
    return `The image in ${attention.grid[0]} by ${attention.grid[1]} patches; the arrow keys move from patch to patch`;
  };

  return { percent, spot, answerButton, after, title, sentence, key, underImage, image };
})();
