# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 4. The Transformer: an encoder and a decoder
#
# The first Transformer translated sentences. Ours does a smaller job of the same kind: it reads the **letters** of a
# word and writes its **phonemes**, the sounds of English. It has all parts of the Transformer of the paper ("Attention Is
# All You Need"), and it answers in a second.
#
# **You need** lessons 1 to 3. The network comes with the package. **It takes** 30 minutes; the code runs in a few
# seconds.

# %%
import torch
from lesson import check, diagrams, explorer, pictures, records, side_by_side, source

import fittingroom as fr

run = fr.load_run("transformer")
for answer in run.predict(["cat", "photograph", "knight", "fittingroom"]):
    print(f"{answer.word:12} {' '.join(answer.pronunciations[0].symbols)}")

# %% [markdown]
# A phoneme is written with one or two letters: `AE` is the *a* of *cat*, and `AY` is the *igh* of *knight*. The network
# knows that *ph* is one sound and that the *k* of *knight* is silent. *fittingroom* is in no dictionary. Try your own name.
#
# ## The two halves
#
# - The **encoder** reads all letters at once. Each letter attends to all letters. The result, one vector per letter, is
#   called the **memory**.
# - The **decoder** writes one phoneme after another. Each phoneme attends to the phonemes before it (*self-attention*,
#   with the causal mask of lesson 1), then to the memory (*cross-attention*: queries from the phonemes, keys and values
#   from the letters).
#
# Read the diagram from bottom to top. On the left is the encoder, on the right the decoder. Their parts:
#
# - `src_embed` and `tgt_embed` look up one learned vector for each symbol in a table, and add the positions of lesson 3.
#   `src` (source) holds the letters, `tgt` (target) the phonemes.
# - A dashed frame is a block. `× depth` says that it is repeated, each time with parameters of its own.
# - `norm` is a LayerNorm: it scales the numbers of each token to mean 0 and variance 1, so that they stay in a useful
#   range.
# - `mlp` is a small network that works on each token by itself: a matrix, a function that sets negative numbers (nearly) to
#   zero, and a second matrix.
# - ⊕ adds the input of a part to its output. So each part only has to learn a change.
# - `head` turns each token into *logits*, one score for each symbol. The softmax turns these into probabilities.

# %%
diagrams.transformer()

# %% [markdown]
# A *sub-layer* is attention or the MLP. In the code, `Residual` adds its output to its input (⊕, called a *residual* or
# *skip connection*), and the blocks give the order of the sub-layers. The norm comes first (*pre-norm*, `is_pre`), as in
# most networks today. In the paper of 2017, it comes after the sum.

# %%
from fittingroom.models.transformer import DecoderBlock, EncoderBlock, Residual, Transformer

side_by_side(
    r"x \leftarrow x + \mathrm{Sublayer}(\mathrm{LayerNorm}(x))",
    (Residual.before, Residual.add, EncoderBlock.forward, DecoderBlock._finish),
)

# %% [markdown]
# Cross-attention is the attention of lesson 1, with queries from one sequence, and keys and values from another. (The keys
# and values stay the same while the decoder writes, so they are computed once and kept: `forward_cached`.)

# %%
from fittingroom.models.layers.attention import CrossAttention

source(CrossAttention.forward, CrossAttention.keys_values, CrossAttention.forward_cached)

# %% [markdown]
# ## Write a word, step by step
#
# `encode` reads the letters once. Then `step` gets one symbol, first the begin mark `BOS`, and gives the logits of the next
# phoneme. We always take the most likely one (*greedy* decoding), until we get the end mark `EOS`.

# %%
from fittingroom.data.seq2seq.vocabulary import BOS_ID, EOS_ID

model = run.model
letters, phonemes = run._saved.task.vocabularies  # the symbols of each side, with their numbers
src = torch.tensor([[*letters.encode("nation"), EOS_ID]])
src_mask = torch.ones_like(src, dtype=torch.bool)

with torch.no_grad():
    memory = model.encode(src, src_mask)
    state = model.start(memory, src_mask)
    symbol = torch.tensor([BOS_ID])
    for _ in range(20):
        logits, state = model.step(symbol, state)
        probs = logits.softmax(dim=-1)[0]
        symbol = probs.argmax(dim=-1, keepdim=True)
        if int(symbol) == EOS_ID:
            break
        written = " ".join(phonemes.decode([int(symbol)]))
        print(f"{written:3} with probability {float(probs[symbol]):.2f}")

# %% [markdown]
# ## Cross-attention as alignment
#
# Which letters did the decoder attend to when it wrote each phoneme? Rows are phonemes, and columns are letters. Nobody
# told the network which letters belong to which sound.

# %%
from fittingroom.explain.alignment import align

found = align(model, run.predict(["photograph"])[0])
pictures.matrix(
    found.mean,
    rows=[each.strip("<>") for each in found.phonemes],
    columns=[each.strip("<>") for each in found.letters],
    row_title="writes",
    column_title="looks at",
)

# %% [markdown]
# The bright cells run along the diagonal, because spelling and sound have the same order. *F* attends to the letters *ph*.
# This picture is the mean of the four heads of the last layer. On the page below, you can choose a word, a layer and a
# head:

# %%
explorer.alignment("transformer", ["photograph", "knight", "thorough", "nation"])

# %% [markdown]
# ## Training: the whole target at once
#
# When the network *writes*, it needs one step per phoneme. During *training*, the right answer is known. So the decoder
# reads the whole answer, **shifted by one place**, and predicts all its symbols at once. For *nation*, it reads `begin N EY
# SH AH N`, and must predict `N EY SH AH N end`. The causal mask hides the symbols that it has to predict. This is called
# *teacher forcing*.

# %%
source(Transformer.forward)

# %% [markdown]
# Does the mask work? We change the last symbol that the decoder reads, from N to Z, and see which logits change.

# %%
tgt_in = torch.tensor([[BOS_ID, *phonemes.encode(["N", "EY", "SH", "AH", "N"])]])
changed = tgt_in.clone()
changed[0, -1] = phonemes.encode(["Z"])[0]
with torch.no_grad():
    difference = (model(src, src_mask, tgt_in) - model(src, src_mask, changed)).abs().amax(dim=-1)[0]
print("largest change at each place:", [round(float(each), 3) for each in difference])

# %% [markdown]
# Only the logits at the last place change: no place sees a later symbol.
#
# ## How good is it?
#
# We trained each model with three seeds, all for the same time, and tested them on words that were not used for training.
# This cell computes the table from the recorded answers. (Lesson 2 says how to read it. "RNN with attention" is the
# recurrent network of lesson 5.)

# %%
records.comparison("sequences")

# %% [markdown]
# ## Exercises
#
# **1.** In training, the decoder learns to write `target`. What does it read? `target` is a list that ends with the end
# mark, such as `["N", "EY", "SH", "AH", "N", "end"]`. `begin` is the begin mark, one symbol. Return a list.


# %%
def my_shifted(target, begin):
    return ...


check.shifted(my_shifted)

# %% [markdown]
# <details>
# <summary>Solution</summary>
#
# ```python
# def my_shifted(target, begin):
#     return [begin, *target[:-1]]
# ```
#
# </details>
#
# **2.** Pronounce *read*, *lead* and *tear* with `run.predict`. Each of them has two pronunciations in English. Then ask
# for several answers in a terminal: `.venv/bin/fittingroom pronounce transformer read --beam 4`.
#
# **3.** In "Write a word", draw each symbol at random instead of taking the most likely one: `symbol =
# torch.multinomial(probs, 1)`. Run the cell several times. How often is the word still right?
#
# <details>
# <summary>Answers to 2 and 3</summary>
#
# **2.** Greedy decoding gives one answer for each word: *read* as in "to read". With `--beam 4`, the program keeps the four
# best beginnings at each step. Then it also finds `R EH D`, as in "I have read", with half the probability of `R IY D`.
#
# **3.** In about two of three runs. Each right symbol has a probability of about 0.93. There are six of them, with the end
# mark, and 0.93 to the power of 6 is 0.65.
#
# </details>
#
# ## What you know now
#
# - The encoder reads everything at once; the decoder writes symbol by symbol.
# - Cross-attention connects the two, and shows an alignment that nobody taught the network.
# - Training needs no loop over symbols: shift the target, and mask the future.
#
# Next: [why not recurrence](05_recurrence.py).
