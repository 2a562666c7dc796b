// The explorer's numbers, without a page: unpacks a block and computes attention and rollout from it.
// A block is laid out as explorer_pack.py says. `query` is a token's position, or ANSWER: the tokens as the answer pools them.
const explorerMaps = (() => {
  const ANSWER = "answer";
  const MEAN = "mean";

  const inflate = async (text) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).arrayBuffer();
  };

  const unpack = async (model, image) => {
    const buffer = await inflate(model.packed[image]);
    const [layers, heads, tokens] = model.attention ? model.attention.shape : [0, 0, 0];
    let start = 0;
    const take = (Kind, length) => {
      const part = new Kind(buffer, start, length);
      start += part.byteLength;
      return part;
    };
    return {
      layers, heads, tokens,
      scale: take(Float32Array, layers * heads * tokens),
      pool: take(Float32Array, tokens),
      weights: take(Uint8Array, layers * heads * tokens * tokens),
      saliency: take(Uint8Array, model.saliency[0] * model.saliency[1]),
    };
  };

  // The queries that `query` stands for, as [position, share].
  const queries = (block, query) => (query === ANSWER ? [...block.pool].map((share, token) => [token, share]) : [[query, 1]]);

  // Add `share` times the attention of one query in one head to `sums`.
  const addRow = (block, layer, head, query, share, sums) => {
    const row = (layer * block.heads + head) * block.tokens + query;
    const unit = (share * block.scale[row]) / 255;
    const first = row * block.tokens;
    for (let key = 0; key < block.tokens; key += 1) sums[key] += unit * block.weights[first + key];
  };

  // What `query` looks at in one layer, over all tokens; `head` is a number or MEAN.
  const attention = (block, layer, head, query) => {
    const sums = new Float64Array(block.tokens);
    const heads = head === MEAN ? [...Array(block.heads).keys()] : [head];
    for (const [token, share] of queries(block, query)) {
      for (const each of heads) addRow(block, layer, each, token, share / heads.length, sums);
    }
    return sums;
  };

  // Half the head mean of a layer, half the identity (the residual connection), rows made to sum to 1.
  const mixing = (block, layer) => {
    const { tokens } = block;
    const mixed = new Float64Array(tokens * tokens);
    for (let query = 0; query < tokens; query += 1) {
      const row = mixed.subarray(query * tokens, (query + 1) * tokens);
      for (let head = 0; head < block.heads; head += 1) addRow(block, layer, head, query, 0.5 / block.heads, row);
      row[query] += 0.5;
      const total = row.reduce((sum, weight) => sum + weight, 0);
      for (let key = 0; key < tokens; key += 1) row[key] /= total;
    }
    return mixed;
  };

  const product = (left, right, size) => {
    const found = new Float64Array(size * size);
    for (let row = 0; row < size; row += 1) {
      for (let inner = 0; inner < size; inner += 1) {
        const factor = left[row * size + inner];
        for (let column = 0; column < size; column += 1) {
          found[row * size + column] += factor * right[inner * size + column];
        }
      }
    }
    return found;
  };

  // Abnar and Zuidema 2020, equation 1: one matrix [tokens, tokens] for every depth, the identity for depth 0.
  const rollouts = (block) => {
    const { tokens } = block;
    const identity = new Float64Array(tokens * tokens);
    for (let token = 0; token < tokens; token += 1) identity[token * tokens + token] = 1;
    const found = [identity];
    for (let layer = 0; layer < block.layers; layer += 1) found.push(product(mixing(block, layer), found[layer], tokens));
    return found;
  };

  // Where the content of `query` comes from after `depth` layers, over all tokens.
  const rollout = (block, depth, query) => {
    block.rollouts ??= rollouts(block);
    const sums = new Float64Array(block.tokens);
    for (const [token, share] of queries(block, query)) {
      for (let key = 0; key < block.tokens; key += 1) sums[key] += share * block.rollouts[depth][token * block.tokens + key];
    }
    return sums;
  };

  const highest = (values) => values.reduce((best, value, place) => (value > values[best] ? place : best), 0);

  return { ANSWER, MEAN, inflate, unpack, attention, rollout, highest };
})();
