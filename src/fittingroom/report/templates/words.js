// The gallery of words: unpack what the page carries, then search it, filter it, and show it step by step.
(() => {
  const source = document.getElementById("words-data");
  if (!source || typeof DecompressionStream === "undefined") return;
  const at = (name) => document.getElementById(`words-${name}`);
  const STEP = 24;
  const sieve = document.querySelector(".sieve");
  const search = document.getElementById("word-search");
  const buttons = [...sieve.querySelectorAll("button")];
  const first = buttons[0].dataset.show;
  const state = { filter: first, query: "", num: STEP };

  const unpack = (text) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).json();
  };

  // A word that is what was typed comes first, then those that begin so, then those that hold it.
  const closeness = (word, query) => (word === query ? 0 : word.startsWith(query) ? 1 : 2);

  const found = (cards) => {
    const tagged = cards.filter((card) => card.tags.includes(state.filter));
    if (!state.query) return tagged;
    const holding = tagged.filter((card) => card.word.includes(state.query));
    return holding.sort((a, b) => closeness(a.word, state.query) - closeness(b.word, state.query));
  };

  const count = (cards) => cards.length.toLocaleString("en");

  const show = (cards) => {
    const all = found(cards);
    const shown = all.slice(0, state.num);
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.show === state.filter));
    // Made by the same template as the page, which has escaped every name in it.
    at("gallery").innerHTML = shown.map((card) => card.html).join("");
    at("shown").textContent = all.length ? `${count(shown)} of ${count(all)} words shown` : `No word here contains “${state.query}”`;
    at("more").hidden = shown.length === all.length;
  };

  unpack(JSON.parse(source.textContent)).then((packed) => {
    const cards = packed.map(([word, tags, html]) => ({ word: word.toLowerCase(), tags: tags.split(" "), html }));
    const change = (changes) => {
      Object.assign(state, { num: STEP }, changes);
      show(cards);
    };
    for (const button of buttons) button.addEventListener("click", () => change({ filter: button.dataset.show }));
    // Who looks for a word wants to find it, whichever model has it right: a search begins among all of them.
    search.addEventListener("input", () => {
      const query = search.value.trim().toLowerCase();
      const begins = query && !state.query;
      change({ query, filter: begins ? "all" : query ? state.filter : first });
    });
    at("more").addEventListener("click", () => {
      const next = state.num;
      change({ num: state.num + STEP });
      const card = at("gallery").children[next];
      card.tabIndex = -1;
      card.focus({ preventScroll: true });
    });
    sieve.hidden = false;
    show(cards);
  });
})();
