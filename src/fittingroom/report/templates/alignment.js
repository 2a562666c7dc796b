// Which letters: choose a word and a symbol a model wrote; the letters take the colour of the attention they got.
(() => {
  const root = document.getElementById("alignment");
  if (!root) return;
  const data = JSON.parse(document.getElementById("alignment-data").textContent);
  const panels = [...root.querySelectorAll(".aligned")];
  const MEAN = "mean";
  const FULL = 65535;
  const INK_CHANGES_AT = 0.6; // as in palette.py
  const CHECK = "M1.5 6.500l3 3.2 6-7.2";
  const CROSS = "M2 2l8 8M10 2l-8 8";
  let word = 0;
  const states = data.models.map(() => ({ layer: Infinity, head: MEAN, phoneme: 0 }));

  const unpack = ({ packed, shape }) => {
    const bytes = Uint8Array.from(atob(packed), (character) => character.charCodeAt(0));
    const view = new DataView(bytes.buffer);
    return { shape, at: (place) => view.getUint16(2 * place, true) / FULL };
  };
  const unpacked = new Map();
  const weightsOf = (answer) => {
    if (!unpacked.has(answer)) unpacked.set(answer, unpack(answer));
    return unpacked.get(answer);
  };

  // The attention that each letter got for one symbol, of one head or the mean over all.
  const row = (answer, { layer, head, phoneme }) => {
    const { shape: [, heads, phonemes, letters], at } = weightsOf(answer);
    const chosen = head === MEAN ? [...Array(heads).keys()] : [head];
    const start = (each) => ((layer * heads + each) * phonemes + phoneme) * letters;
    return answer.letters.map((_, letter) => chosen.reduce((sum, each) => sum + at(start(each) + letter), 0) / chosen.length);
  };

  const percent = (share) => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)}\u00a0%`;
  const answerOf = (model) => data.models[model].answers[word];
  const quoted = (letters, place) => (place === letters.length - 1 ? "the end of the word" : `“${letters[place]}”, letter ${place + 1}`);

  const sentence = (answer, state, values) => {
    const best = values.indexOf(Math.max(...values));
    const written = answer.phonemes[state.phoneme];
    const doing = written === "end" ? "When it stopped" : `Writing ${written}`;
    return `${doing}, it looked most at ${quoted(answer.letters, best)}: ${percent(values[best])}. Evenly spread, each letter would get ${percent(1 / values.length)}.`;
  };

  const radios = (group, name, choices, chosen, labelled) => {
    group.querySelectorAll("label").forEach((label) => label.remove());
    choices.forEach(({ value, words }) => {
      const label = document.createElement("label");
      label.innerHTML = '<input type="radio"><span></span>';
      const input = label.querySelector("input");
      Object.assign(input, { name, value, checked: value === chosen });
      if (labelled) input.setAttribute("aria-label", `${labelled} ${words}`);
      label.querySelector("span").textContent = words;
      group.append(label);
    });
    group.hidden = choices.length < 2;
  };
  const numbered = (count) => [...Array(count).keys()].map((place) => ({ value: place, words: String(place + 1) }));

  const paint = (model) => {
    const [answer, state] = [answerOf(model), states[model]];
    const values = row(answer, state);
    const high = Math.max(...values);
    [...panels[model].querySelectorAll(".aligned-letters li")].forEach((item, place) => {
      const level = high > 0 ? values[place] / high : 0;
      item.querySelector("b").style.setProperty("--level", level.toFixed(4));
      item.classList.toggle("high", level >= INK_CHANGES_AT);
      item.querySelector("small").textContent = percent(values[place]);
    });
    panels[model].querySelector(".aligned-told").textContent = sentence(answer, state, values);
  };

  // The controls of a model for the word that is chosen.
  const build = (model) => {
    const [panel, answer, state] = [panels[model], answerOf(model), states[model]];
    const [layers, heads] = answer.shape;
    state.layer = Math.min(state.layer, layers - 1);
    state.phoneme = 0;
    const said = panel.querySelector(".aligned-answer");
    said.className = `aligned-answer ${{ true: "right", false: "wrong" }[answer.right] ?? ""}`;
    said.querySelector("svg").toggleAttribute("hidden", answer.right === null);
    said.querySelector("path").setAttribute("d", answer.right ? CHECK : CROSS);
    said.querySelector(".judged").textContent = { true: "is right: ", false: "is wrong: " }[answer.right] ?? "";
    said.querySelector(".written").textContent = answer.phonemes.filter((each, place) => each !== "end" || place < answer.phonemes.length - 1).join(" ");
    said.querySelector(".percent").textContent = answer.percent;
    const name = (what) => `alignment-${what}-${model}`;
    const symbols = answer.phonemes.map((words, value) => ({ value, words }));
    radios(panel.querySelector(".aligned-phonemes"), name("phoneme"), symbols, state.phoneme);
    panel.querySelector(".aligned-phonemes").hidden = false;
    radios(panel.querySelector("[data-choice=layer]"), name("layer"), numbered(layers), state.layer, "Layer");
    const choices = [{ value: MEAN, words: MEAN }, ...numbered(heads)];
    radios(panel.querySelector("[data-choice=head]"), name("head"), heads > 1 ? choices : [], state.head, "Head");
    const list = panel.querySelector(".aligned-letters");
    list.replaceChildren(
      ...answer.letters.map((letter, place) => {
        const item = document.createElement("li");
        item.innerHTML = "<b></b><small></small>";
        item.querySelector("b").textContent = letter;
        item.classList.toggle("mark", place === answer.letters.length - 1);
        return item;
      }),
    );
    paint(model);
  };

  const chooseWord = (place) => {
    word = place;
    const entries = data.references[word];
    document.getElementById("alignment-dictionary").textContent = entries.length ? `Right: ${entries.join(" | ")}` : "";
    data.models.forEach((_, model) => build(model));
  };

  root.addEventListener("change", ({ target }) => {
    if (target.name === "alignment-word") {
      chooseWord(Number(target.value));
      return;
    }
    const [, what, model] = target.name.split("-");
    states[Number(model)][what] = target.value === MEAN ? MEAN : Number(target.value);
    paint(Number(model));
  });
  root.querySelector(".aligned-words input").checked = true;
  chooseWord(0);
  root.hidden = false;
  document.getElementById("alignment-off").hidden = true;
  const shown = () => states.map((state, model) => ({ ...state, word, values: row(answerOf(model), state) }));
  window.fittingroomAlignment = { shown };
})();
