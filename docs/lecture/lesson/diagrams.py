"""The diagrams of the lecture, drawn by code as SVG. Their labels are the names in `fittingroom.models`."""

from html import escape

from lesson.pictures import framed
from lesson.show import Html, themed

FONT = "font-family: ui-monospace, 'DejaVu Sans Mono', monospace;"


class Sheet:
    """An empty drawing from the height `top` down to `height`. Colours are names of the palette."""

    def __init__(self, width: float, height: float, says: str, top: float = 0) -> None:
        self.width, self.height, self.top, self.says = width, height, top, says
        self.parts: list[str] = []

    def box(
        self, x: float, y: float, text: str, *, width: float = 130, height: float = 34, colour: str = "series-0"
    ) -> None:
        """A rounded box around (x, y), with one or several lines of text."""
        left, top = x - width / 2, y - height / 2
        self.parts.append(
            f'<rect x="{left:g}" y="{top:g}" width="{width:g}" height="{height:g}" rx="6" style="fill: VAR({colour}); '
            f'fill-opacity: .14; stroke: VAR({colour});" stroke-width="1.6"/>'
        )
        lines = text.split("\n")
        for number, line in enumerate(lines):
            self.text(x, y + 16 * (number - (len(lines) - 1) / 2), line)

    def group(self, x: float, y: float, width: float, height: float, name: str, times: str) -> None:
        """A dashed frame with its upper left corner at (x, y) around what is repeated: its name, and how many times."""
        self.parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="10" fill="none" '
            'style="stroke: VAR(quiet);" stroke-width="1.3" stroke-dasharray="6 4"/>'
        )
        self.text(x + 10, y + 15, name, anchor="start", quiet=True, size=12)
        self.text(x + width - 10, y + 15, f"× {times}", anchor="end", quiet=True, size=12)

    def text(
        self, x: float, y: float, text: str, *, anchor: str = "middle", quiet: bool = False, size: float = 13
    ) -> None:
        """One line of text, centred on the height y."""
        colour = "quiet" if quiet else "ink"
        self.parts.append(
            f'<text x="{x:g}" y="{y + size * 0.35:g}" text-anchor="{anchor}" font-size="{size:g}" '
            f'style="fill: VAR({colour}); {FONT}">{escape(text)}</text>'
        )

    def arrow(self, *points: tuple[float, float], label: str = "", side: str = "right", dashed: bool = False) -> None:
        """An arrow through the points. Its label is beside the middle of its first part."""
        path = "M" + "L".join(f"{x:g} {y:g}" for x, y in points)
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        self.parts.append(
            f'<path d="{path}" fill="none" style="stroke: VAR(ink);" stroke-width="1.5"{dash} marker-end="url(#lesson-head)"/>'
        )
        if label:
            (x, y), (to_x, to_y) = points[:2]
            gap, anchor = (7, "start") if side == "right" else (-7, "end")
            self.text((x + to_x) / 2 + gap, (y + to_y) / 2, label, anchor=anchor, quiet=True, size=11.5)

    def plus(self, x: float, y: float) -> None:
        """A circle with a plus: a sum."""
        self.parts.append(
            f'<circle cx="{x:g}" cy="{y:g}" r="11" style="fill: VAR(card); stroke: VAR(ink);" stroke-width="1.5"/>'
            f'<path d="M{x - 6:g} {y:g}h12M{x:g} {y - 6:g}v12" style="stroke: VAR(ink);" stroke-width="1.5"/>'
        )

    def svg(self) -> str:
        """The drawing as one `<svg>` element, as wide as the page unless that is too narrow for its labels."""
        head = (
            '<defs><marker id="lesson-head" viewBox="0 0 10 10" refX="8.5" refY="5" markerWidth="7" markerHeight="7" '
            'orient="auto-start-reverse"><path d="M0 0L10 5L0 10z" style="fill: VAR(ink);"/></marker></defs>'
        )
        size = f'viewBox="0 {self.top:g} {self.width:g} {self.height - self.top:g}" width="{self.width:g}"'
        # Narrower than this, nobody could read the labels: then the card around the drawing scrolls.
        style = f"min-width: {0.79 * self.width:.0f}px; max-width: 100%; height: auto; display: block;"
        start = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(self.says)}" style="{style}">'
        return themed(f"{start}{head}{''.join(self.parts)}</svg>")

    def show(self) -> Html:
        """The drawing on a card, as a notebook shows it."""
        return framed(self.svg(), self.says, self.width + 24)


def scaled_dot_product_attention() -> Html:
    """Equation 1, from queries, keys and values to the weighted mean of the values."""
    sheet = Sheet(
        600, 424, "Scaled dot-product attention: queries and keys give weights, and the weights mix the values"
    )
    for x, name, meaning in (
        (90, "q_BHNK", "what I look for"),
        (270, "k_BHMK", "what I offer"),
        (500, "v_BHMK", "what I say"),
    ):
        sheet.text(x, 14, meaning, quiet=True, size=12)
        sheet.box(x, 44, name, width=110)
    sheet.box(180, 126, "q @ k.transpose(-2, -1)", width=230, colour="series-1")
    sheet.arrow((90, 61), (90, 84), (140, 107))
    sheet.arrow((270, 61), (270, 84), (220, 107))
    sheet.arrow((180, 143), (180, 178), label="scores (B, H, N, M)")
    sheet.box(180, 196, "* head_dim ** -0.5", width=230, colour="series-1")
    sheet.arrow((180, 213), (180, 248))
    sheet.box(180, 266, "masked_softmax", width=230, colour="series-2")
    sheet.text(308, 258, "over the keys;", anchor="start", quiet=True, size=12)
    sheet.text(308, 275, "mask: True = may attend", anchor="start", quiet=True, size=12)
    sheet.arrow((180, 283), (180, 343), (240, 343))
    sheet.text(188, 316, "attention_weights: each row sums to 1", anchor="start", quiet=True, size=12)
    sheet.box(330, 343, "weights @ v_BHMK", width=170, colour="series-3")
    sheet.arrow((500, 61), (500, 343), (419, 343))
    sheet.arrow((330, 360), (330, 392))
    sheet.text(330, 408, "for each query: a weighted mean of the values")
    return sheet.show()


def multi_head_attention() -> Html:
    """`SelfAttention`: one matrix makes queries, keys and values; every head attends for itself."""
    sheet = Sheet(660, 452, "Multi-head attention: qkv, split_heads, attention in every head, merge_heads, proj")
    sheet.box(290, 24, "x_BND", width=110, colour="series-6")
    sheet.arrow((290, 41), (290, 68))
    sheet.box(290, 86, "qkv = Linear(dim, 3 * dim)", width=260)
    sheet.text(432, 86, "W^Q, W^K, W^V in one", anchor="start", quiet=True, size=12)
    for x, name in ((130, "q"), (290, "k"), (450, "v")):
        sheet.arrow((290 + (x - 290) * 0.6, 103), (290 + (x - 290) * 0.8, 132))
        sheet.box(x, 150, f"split_heads({name})", width=140)
        sheet.arrow((x, 167), (x, 190))
    for depth in (2, 1, 0):
        sheet.parts.append(
            f'<rect x="{70 + 9 * depth}" y="{213 - 9 * depth}" width="420" height="64" rx="6" '
            'style="fill: VAR(card); stroke: VAR(series-2);" stroke-width="1.6"/>'
        )
    sheet.text(280, 237, "scaled_dot_product_attention")
    sheet.text(280, 258, "each head has its own weights", quiet=True, size=12)
    sheet.text(520, 237, "num_heads", anchor="start", quiet=True, size=12)
    sheet.text(520, 254, "side by side", anchor="start", quiet=True, size=12)
    sheet.arrow((290, 277), (290, 313), label="(B, H, N, K)")
    sheet.box(290, 331, "merge_heads", width=170, colour="series-3")
    sheet.text(388, 331, "Concat of the heads", anchor="start", quiet=True, size=12)
    sheet.arrow((290, 348), (290, 384), label="(B, N, D)")
    sheet.box(290, 402, "proj = Linear(dim, dim)", width=240)
    sheet.text(422, 402, "W^O", anchor="start", quiet=True, size=12)
    sheet.arrow((290, 419), (290, 448))
    return sheet.show()


UNIT = 124
"""Height of a norm, a sub-layer and the sum around them."""
COLOURS = {"mlp": "series-3", "cross_attn": "series-1"}
"""Sub-layers that are not self-attention."""


def transformer() -> Html:
    """Encoder and decoder with the norm first, as `models/transformer.py` builds them by default."""
    sheet = Sheet(
        730, 724, "The Transformer: an encoder reads the source, a decoder writes the target symbol by symbol", top=74
    )
    encoded = _stack(sheet, 180, "src_embed", "src", ("encoder", "depth_encoder"), ["attn", "mlp"])
    sheet.box(180, encoded - 40, "encoder_norm", width=150, height=28, colour="series-4")
    decoded = _stack(
        sheet, 540, "tgt_embed", "tgt_in (shifted right)", ("decoder", "depth_decoder"),
        ["self_attn", "cross_attn", "mlp"],
    )  # fmt: skip
    sheet.text(680, 636 - 72, "causal", anchor="start", quiet=True, size=12)
    cross = 636 - UNIT - 72
    sheet.arrow((180, encoded - 54), (180, encoded - 92), (360, encoded - 92), (360, cross), (473, cross))
    sheet.text(270, encoded - 106, "memory: keys, values", quiet=True, size=12)
    sheet.box(540, decoded - 40, "decoder_norm", width=150, height=28, colour="series-4")
    sheet.arrow((540, decoded - 54), (540, decoded - 80))
    sheet.box(540, decoded - 98, "head", width=150)
    sheet.arrow((540, decoded - 115), (540, decoded - 140))
    sheet.text(540, decoded - 152, "logits of the next symbol")
    return sheet.show()


def vit() -> Html:
    """`VisionTransformer`: patches become tokens, blocks mix them, their mean is classified."""
    sheet = Sheet(660, 696, "The Vision Transformer: patches, patch_embed, pos_embed, blocks, norm, mean, head", top=60)
    _patches(sheet, 60, 596, 84)
    sheet.text(102, 690, "image, cut in patches", quiet=True, size=12)
    sheet.arrow((154, 638), (206, 638))
    for number in range(9):
        sheet.parts.append(
            f'<rect x="{216 + 17 * number}" y="631" width="13" height="13" style="fill: VAR(series-1); fill-opacity: .35; '
            'stroke: VAR(series-1);"/>'
        )
    sheet.text(384, 638, "...", size=13)
    sheet.text(300, 664, "N patches, row by row", quiet=True, size=12)
    y = 636 - 60
    sheet.arrow((300, 624), (300, y + 17))
    sheet.box(300, y, "patch_embed: N tokens", width=220, colour="series-6")
    sheet.text(420, y, "equation 1: one matrix E", anchor="start", quiet=True, size=12)
    sheet.arrow((300, y - 17), (300, y - 33))
    sheet.plus(300, y - 44)
    sheet.arrow((430, y - 44), (313, y - 44))
    sheet.text(438, y - 44, "pos_embed", anchor="start")
    sheet.text(438, y - 27, "where the patch is", anchor="start", quiet=True, size=12)
    out = _units(sheet, 300, y - 55, ["attn", "mlp"], ("blocks", "depth"))
    for place, note in ((0, "equation 2"), (1, "equation 3")):
        sheet.text(442, y - 55 - UNIT * place - 72, note, anchor="start", quiet=True, size=12)
    sheet.box(300, out - 40, "norm", width=130, height=28, colour="series-4")
    sheet.arrow((300, out - 54), (300, out - 80))
    sheet.box(300, out - 98, "tokens.mean(dim=1)", width=190, colour="series-2")
    sheet.text(404, out - 98, 'or the class token (pool="cls")', anchor="start", quiet=True, size=12)
    sheet.arrow((300, out - 115), (300, out - 141))
    sheet.box(300, out - 159, "head: logits", width=150)
    sheet.text(384, out - 159, "equation 4", anchor="start", quiet=True, size=12)
    return sheet.show()


def _stack(sheet: Sheet, x: float, embed: str, reads: str, names: tuple[str, str], parts: list[str]) -> float:
    """An embedding at the bottom, then one unit for each sub-layer. Returns the height at which the last one ends."""
    sheet.text(x, 712, reads)
    sheet.arrow((x, 701), (x, 679))
    sheet.box(x, 661, f"{embed}: table + pos_embed", width=236, colour="series-6")
    return _units(sheet, x, 636, parts, names)


def _units(sheet: Sheet, x: float, y: float, parts: list[str], names: tuple[str, str]) -> float:
    """`x = x + part(norm(x))` for each part, bottom to top, inside a frame. Returns the y at which the last one ends."""
    top = y - UNIT * len(parts)
    sheet.group(x - 132, top - 26, 264, y - top + 20, *names)
    for number, part in enumerate(parts):
        begin = y + 8 if number == 0 else y + 2
        sheet.arrow((x, begin), (x, y - 20))
        sheet.arrow((x, y - 8), (x - 100, y - 8), (x - 100, y - 112), (x - 13, y - 112))
        sheet.box(x, y - 32, f"norm{number + 1}", width=110, height=24, colour="series-4")
        sheet.arrow((x, y - 44), (x, y - 56))
        sheet.box(x, y - 72, part, width=130, height=32, colour=COLOURS.get(part, "series-2"))
        sheet.arrow((x, y - 88), (x, y - 101))
        sheet.plus(x, y - 112)
        y -= UNIT
    sheet.arrow((x, y + 1), (x, y - 44))
    return y - 18


def _patches(sheet: Sheet, left: float, top: float, side: float) -> None:
    """A square cut into 3 x 3 patches."""
    for number in range(9):
        row, column = divmod(number, 3)
        sheet.parts.append(
            f'<rect x="{left + column * side / 3:g}" y="{top + row * side / 3:g}" width="{side / 3 - 2:g}" '
            f'height="{side / 3 - 2:g}" style="fill: VAR(series-1); fill-opacity: .35; stroke: VAR(series-1);"/>'
        )
