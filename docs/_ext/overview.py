"""Draws `docs/_static/overview.svg`: the package's folders, and the way from features to logits.

    python docs/_ext/overview.py

All text has a ground of its own, so the figure reads on light and dark pages. A test compares the
file with what this draws, and the names in it with the package.
"""

from html import escape
from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).parents[1] / "_static/overview.svg"
ALT = (
    "Features of text, audio and video enter the encoders. Their output x goes to the graph and "
    "the fusion, and the graph's P to the fusion. The classifier computes logits for each "
    "utterance. Recordings, datasets and data come before; training, streaming and export stand "
    "beside the model."
)


class Box(NamedTuple):
    """A folder, what it exports, and what that does."""

    folder: str
    names: tuple[str, ...]
    lines: tuple[str, ...]
    x: int
    y: int
    width: int
    height: int


BEFORE = (
    Box("recordings", ("extract",), ("sound and video",), 10, 8, 142, 84),
    Box("datasets", ("Corpus",), ("files and tables",), 169, 8, 142, 84),
    Box("data", ("Conversation",), ("a PyG Data",), 328, 8, 142, 84),
)
MODEL = Box("models", ("ConversationModel", "MMDFN"), (), 10, 206, 460, 482)
PARTS = (
    Box(
        "encoders",
        ("UtteranceEncoder",),
        ("ContextEncoder: the whole conversation", "SpeakerEncoder: each speaker's utterances"),
        *(24, 244, 432, 100),
    ),
    Box("graph", ("ConversationGraph",), ("P: edge weights",), 24, 372, 212, 220),
    Box("fusion", ("DynamicFusion",), ("one gated memory",), 254, 372, 202, 220),
    Box("models", ("Classifier",), (), 24, 620, 432, 54),
)
BESIDE = (
    Box("training", ("fit", "evaluate"), ("scores, reports",), 490, 244, 140, 100),
    Box("streaming", ("Stream",), ("utterance by", "utterance"), 490, 432, 140, 100),
    Box("export", ("to_onnx",), ("torch.export,", "ONNX"), 490, 574, 140, 100),
)
FEATURES = {"text": ("#1f7fbf", 10), "audio": ("#b8660f", 169), "visual": ("#15805f", 328)}
COLORS = [color for color, _ in FEATURES.values()]
SPEAKERS = ("Ann", "Bob", "Ann")
NAMES = ("layer 1", "layer 2", "layer L")
STYLE = """
    .panel { fill: #2c4560; stroke: #56708c; }
    .frame { fill: #1b2b3c; stroke: #56708c; }
    .name { fill: #fff; font-size: 16px; font-weight: 600; }
    .say { fill: #dbe4ec; font-size: 14px; }
    .code { fill: #fff; font: 13.5px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
    .mid { text-anchor: middle; }
    .end { text-anchor: end; }
    .way { stroke: #7d8a97; stroke-width: 2; fill: none; }
    .tip { marker-end: url(#overview-tip); }
    .edge { stroke: #b9c8d6; stroke-width: 1.6; fill: none; }
    .dashed { stroke-dasharray: 3 3; }
    .memory { stroke: #e9b872; stroke-width: 3; fill: none; }
"""


def text(x: float, y: float, words: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x}" y="{y}">{escape(words)}</text>'


def rect(x: float, y: float, width: float, height: float, **attributes: str) -> str:
    rest = "".join(f' {name}="{value}"' for name, value in attributes.items())
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="7"{rest}/>'


def path(d: str, kind: str) -> str:
    return f'<path class="{kind}" d="{d}"/>'


def box(each: Box, kind: str = "panel") -> str:
    """The folder's name, its names and, at the bottom, what they do."""
    parts = [rect(*each[3:], **{"class": kind})]
    wide = each.width > 300
    title = f"{each.folder}/"
    parts.append(text(each.x + 14, each.y + 25, title, "name"))
    names = ", ".join(each.names)
    place = (each.x + 24 + 10 * len(title), each.y + 25) if wide else (each.x + 14, each.y + 47)
    parts.append(text(*place, names, "code"))
    last = each.y + each.height - 14
    for back, line in enumerate(reversed(each.lines)):
        parts.append(text(each.x + 14, last - 21 * back, line, "say"))
    return "".join(parts)


def conversation_graph(each: Box) -> str:
    """Three utterances in three modalities: solid edges within one, dashed ones across."""
    columns = [each.x + 40 + 66 * u for u in range(3)]
    rows = [each.y + 96 + 40 * m for m in range(3)]
    first, _, last = columns
    parts = [
        text(x, each.y + 76, name, "say mid") for x, name in zip(columns, SPEAKERS, strict=True)
    ]
    for y in rows:
        bend = f"M{first} {y}Q{columns[1]} {y - 26} {last} {y}"
        parts += [path(f"M{first} {y}H{last}{bend}", "edge")]
    for x in columns:
        bend = f"M{x} {rows[0]}Q{x - 26} {rows[1]} {x} {rows[2]}"
        parts += [path(f"M{x} {rows[0]}V{rows[2]}{bend}", "edge dashed")]
    for y, color in zip(rows, COLORS, strict=True):
        dots = "".join(f'<circle cx="{x}" cy="{y}" r="9"/>' for x in columns)
        parts.append(f'<g fill="{color}" stroke="#fff" stroke-width="1.5">{dots}</g>')
    return "".join(parts)


def layers(each: Box) -> str:
    """A stack of layers, all joined to one memory by a gate."""
    x, memory = each.x + 16, each.x + each.width - 26
    rows = [each.y + 62 + 38 * n for n in range(2)] + [each.y + 154]
    parts = [path(f"M{memory} {rows[0]}V{rows[2] + 28}", "memory")]
    for y, name in zip(rows, NAMES, strict=True):
        parts.append(path(f"M{x + 116} {y + 14}H{memory}", "memory"))
        parts.append(rect(x, y, 116, 29, fill="#46668a"))
        parts.append(text(x + 58, y + 19.5, name, "say mid"))
        gate = f'cx="{memory}" cy="{y + 14}" r="8"'
        parts.append(f'<circle {gate} fill="#2c4560" stroke="#e9b872" stroke-width="2"/>')
    parts.append(text(x + 58, rows[2] - 10, "⋮", "say mid"))
    return "".join(parts)


def prediction(x: float, y: float) -> str:
    """A bar for each class of each utterance."""
    heights = ((6, 28, 10, 3), (26, 8, 4, 7), (5, 20, 14, 2))
    parts = [rect(x, y, 460, 66, **{"class": "frame"})]
    parts.append(text(x + 14, y + 28, "logits", "name"))
    parts.append(text(x + 14, y + 50, "of each utterance", "say"))
    for u, (name, values) in enumerate(zip(SPEAKERS, heights, strict=True)):
        left = x + 180 + 92 * u
        bars = "".join(f"M{left + 17 * k} {y + 42}v-{h}h12v{h}z" for k, h in enumerate(values))
        parts.append(f'<path fill="#e9b872" d="{bars}"/>')
        parts.append(text(left + 32, y + 58, name, "say mid"))
    return "".join(parts)


def ways() -> str:
    """Arrows along which data goes, and lines to what stands beside."""
    middles = [x + 71 for _, x in FEATURES.values()]
    arrows = ["M152 50H167", "M311 50H326"]
    arrows += [f"M{x} 106V116" for x in middles] + [f"M{x} 168V204" for x in middles]
    arrows += ["M130 344V370", "M355 344V370", "M236 482H252", "M355 592V618", "M240 674V702"]
    lines = ["M399 92V106", f"M{middles[0]} 106H{middles[-1]}"]
    lines += [f"M470 {each.y + each.height / 2}H490" for each in BESIDE]
    return "".join(path(each, "way tip") for each in arrows) + path("".join(lines), "way")


def draw() -> str:
    """The figure."""
    parts = [box(each) for each in BEFORE]
    for name, (color, x) in FEATURES.items():
        parts.append(rect(x, 118, 142, 50, fill=color))
        parts.append(
            text(x + 71, 139, name, "name mid") + text(x + 71, 158, f"[U, d_{name}]", "code mid")
        )
    parts.append(box(MODEL, "frame"))
    parts += [box(each) for each in (*PARTS, *BESIDE)]
    encoders, graph, fusion, classifier = PARTS
    for each, shape in ((encoders, "x [U, M, C]"), (classifier, "[U, K]")):
        parts.append(text(each.x + each.width - 14, each.y + 25, shape, "code end"))
    parts.append(text(classifier.x + 14, classifier.y + 44, "relu, linear", "say"))
    parts += [conversation_graph(graph), layers(fusion), prediction(10, 704), ways()]
    body = "\n".join(parts)
    tip = '<path d="M0 0 8 4 0 8z" fill="#7d8a97"/>'
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 778" width="640" \
role="img" aria-labelledby="overview-title" \
font-family="system-ui, 'Segoe UI', Helvetica, Arial, sans-serif">
<title id="overview-title">{escape(ALT)}</title>
<defs><marker id="overview-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="5" \
markerHeight="5" orient="auto">{tip}</marker></defs>
<style>{STYLE}</style>
{body}
</svg>
"""


if __name__ == "__main__":
    FILE.write_text(draw(), encoding="utf-8")
