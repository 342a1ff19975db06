"""A map of words as a file of its own: positions in two dimensions, drawn as SVG, HTML or PNG."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from markupsafe import Markup

from firth.canonical import write_atomic
from firth.errors import FirthError
from firth.report.svg.draw import el, text
from firth.report.svg.labels import Label, place

if TYPE_CHECKING:
    from numpy.typing import NDArray

Projection = Literal["pca", "tsne"]
Theme = Literal["auto", "light", "dark"]

ENDINGS = (".svg", ".html", ".png")
FEWEST = 4
WIDTH, HEIGHT, HEAD = 1080.0, 780.0, 64.0
SIZE = 13.0
MARGIN = 56.0
GROUPS, GROUP_WORDS = 7, 8
ALL_LABELLED = 60
"""So many words are all labelled, however near they lie; of more, those for which there is room."""

LIGHT = {"paper": "#fdfcfa", "ink": "#1d1f22", "soft": "#5b6067"}
DARK = {"paper": "#15171a", "ink": "#e9e7e2", "soft": "#a6aab1"}
LIGHT_GROUPS = ("#2f6fb3", "#c8501e", "#2c8a66", "#8f52a1", "#9c8100", "#2f9cc0", "#83878d")
DARK_GROUPS = ("#7db8f7", "#f58b5e", "#62c79b", "#cf9be0", "#d8c04a", "#6fd3ee", "#a9adb4")
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif"


@dataclass(frozen=True)
class WordMap:
    """Words with their places in the drawing, in pixels, and the group each belongs to."""

    title: str
    caption: str
    words: Sequence[str]
    places: NDArray[np.float64]
    groups: Sequence[int]
    labels: Sequence[Label | None]


def word_map(
    title: str, words: Sequence[str], unit: NDArray[np.float32], projection: Projection, seed: int = 1
) -> WordMap:
    """Lay out `words` by their vectors `unit` (words, dim) of length 1; earlier words have the first choice of a label.

    Raises:
        FirthError: fewer than four words.
    """
    if len(words) < FEWEST:
        raise FirthError(f"{len(words)} word(s): a map needs {FEWEST} or more")
    centred = unit.astype(np.float64) - unit.mean(axis=0, dtype=np.float64)
    placed, caption = _principal(centred) if projection == "pca" else _neighbourly(centred, seed)
    places = _fitted(placed)
    spots = [(float(x), float(y), word) for (x, y), word in zip(places, words, strict=True)]
    bounds = (4.0, HEAD, WIDTH - 4, HEIGHT - 4)
    labels = place(spots, SIZE, bounds, keep_all=len(words) <= ALL_LABELLED)
    groups = _groups(centred, seed)
    if max(groups):
        caption += " Colours: groups (k-means) in all dimensions."
    return WordMap(title, caption, words, places, groups, labels)


def write_map(drawn: WordMap, path: Path, theme: Theme = "auto") -> str:
    """Write the drawing in the format that the ending of `path` names.

    `auto` follows what the reader prefers in SVG and HTML; a PNG cannot, and is light then. Returned are the characters
    that a PNG's font does not have, which SVG and HTML leave to the reader's.

    Raises:
        FirthError: another ending.
    """
    if path.suffix not in ENDINGS:
        raise FirthError(f"{path}: the ending names the format: {', '.join(ENDINGS)}")
    missing = ""
    if path.suffix == ".png":
        data = _png(drawn, dark=theme == "dark")
        missing = _not_in_font(drawn.title + "".join(drawn.words))
    elif path.suffix == ".svg":
        data = (str(_svg(drawn, theme)) + "\n").encode()
    else:
        data = _html(drawn, theme).encode()
    write_atomic(path, data)
    return missing


def _principal(centred: NDArray[np.float64]) -> tuple[NDArray[np.float64], str]:
    left, sizes, right = np.linalg.svd(centred, full_matrices=False)
    signs = np.where(right[:2, :].max(axis=1) >= -right[:2, :].min(axis=1), 1.0, -1.0)  # else either way round
    total = float((sizes**2).sum())
    shares = sizes[:2] ** 2 / total if total else np.zeros(2)
    across, up = (f"{share:.0%}" for share in shares)
    caption = f"The two principal components: {across} of the variance from left to right, {up} from bottom to top."
    return left[:, :2] * sizes[:2] * signs, caption


def _neighbourly(centred: NDArray[np.float64], seed: int) -> tuple[NDArray[np.float64], str]:
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    # One thread: sums over several threads end in another order, and t-SNE makes a picture out of the last bit.
    with threadpool_limits(limits=1):
        placed: NDArray[np.float64] = TSNE(
            n_components=2, perplexity=min(25.0, (len(centred) - 1) / 3), init="pca", random_state=seed, n_jobs=1
        ).fit_transform(centred)
    return placed, "t-SNE: who is near whom is meant to hold; distances between far words and the axes mean nothing."


def _fitted(placed: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places in pixels, one scale for both directions, in the middle of the drawing."""
    low, span = placed.min(axis=0), np.ptp(placed, axis=0)
    room = np.array([WIDTH - 2 * MARGIN, HEIGHT - HEAD - MARGIN])
    scale = float(np.min(room / np.maximum(span, 1e-12)))
    centre = np.array([WIDTH / 2, HEAD + (HEIGHT - HEAD) / 2])
    fitted: NDArray[np.float64] = centre + (placed - low - span / 2) * scale * np.array([1, -1])
    return fitted


def _groups(centred: NDArray[np.float64], seed: int) -> list[int]:
    """k-means groups found in all dimensions, the largest first; one group where there are few words."""
    wanted = min(GROUPS, len(centred) // GROUP_WORDS)
    if wanted < 2:
        return [0] * len(centred)
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        labels = KMeans(n_clusters=wanted, n_init=10, random_state=seed).fit(centred).labels_
    sizes = np.bincount(labels, minlength=wanted)
    rank = np.argsort(np.argsort(-sizes, kind="stable"))
    return [int(rank[label]) for label in labels]


def _svg(drawn: WordMap, theme: Theme) -> Markup:
    dots = [
        el("circle", el("title", word), cx=float(x), cy=float(y), r=3.6 if label else 2.6, class_=f"g{group}")
        for word, (x, y), group, label in zip(drawn.words, drawn.places, drawn.groups, drawn.labels, strict=True)
    ]
    names = [text(label.x, label.y, label.text, "word", label.anchor) for label in drawn.labels if label]
    return el(
        "svg",
        el("title", drawn.title),
        el("desc", f"{drawn.caption} Words: {', '.join(drawn.words)}"),
        el("style", _style(theme)),
        el("rect", width=WIDTH, height=HEIGHT, class_="paper"),
        text(24, 30, drawn.title, "head"),
        text(24, 50, drawn.caption, "soft"),
        *dots,
        *names,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}",
        width=WIDTH,
        height=HEIGHT,
        role="img",
    )


def _style(theme: Theme) -> Markup:
    """Colours written out and not as CSS variables, which some programs that show SVG do not know."""
    fixed = (
        f"text{{font-family:{FONT}}} .word{{font-size:{SIZE:g}px;paint-order:stroke;stroke-width:3px;"
        "stroke-linejoin:round} .head{font-size:19px;font-weight:600} .soft{font-size:13px} "
        "svg{max-width:100%;height:auto}"
    )
    first = _colours(DARK, DARK_GROUPS) if theme == "dark" else _colours(LIGHT, LIGHT_GROUPS)
    second = f"@media (prefers-color-scheme: dark){{{_colours(DARK, DARK_GROUPS)}}}" if theme == "auto" else ""
    return Markup(fixed + first + second)  # noqa: S704 - nothing of the reader's in it


def _colours(colours: dict[str, str], groups: Sequence[str]) -> str:
    dots = "".join(f".g{i}{{fill:{colour}}}" for i, colour in enumerate(groups))
    return (
        f".paper{{fill:{colours['paper']}}} .word{{fill:{colours['ink']};stroke:{colours['paper']}}} "
        f".head{{fill:{colours['ink']}}} .soft{{fill:{colours['soft']}}} body{{background:{colours['paper']}}}{dots}"
    )


def _html(drawn: WordMap, theme: Theme) -> str:
    scheme = "light dark" if theme == "auto" else theme
    return str(
        Markup(
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{}</title>'
            '<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="{}">'
            "<style>body{{margin:0;display:grid;place-items:center;min-height:100vh}}</style></head>"
            "<body>{}</body></html>\n"
        ).format(drawn.title, scheme, _svg(drawn, theme))
    )


def _png(drawn: WordMap, dark: bool) -> bytes:
    from matplotlib import patheffects
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    colours, groups = (DARK, DARK_GROUPS) if dark else (LIGHT, LIGHT_GROUPS)
    points = 72 / 100  # of a pixel at 100 pixels an inch
    figure = Figure(figsize=(WIDTH / 100, HEIGHT / 100), facecolor=colours["paper"])
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(HEIGHT, 0))
    axes.axis("off")
    sizes = [(2 * (3.6 if label else 2.6) * points) ** 2 for label in drawn.labels]
    axes.scatter(
        drawn.places[:, 0], drawn.places[:, 1], s=sizes, c=[groups[group] for group in drawn.groups], linewidths=0
    )
    axes.text(24, 30, drawn.title, fontsize=19 * points, fontweight="bold", color=colours["ink"], parse_math=False)
    axes.text(24, 50, drawn.caption, fontsize=SIZE * points, color=colours["soft"], parse_math=False)
    halo = [patheffects.withStroke(linewidth=2.2, foreground=colours["paper"])]
    sides = {"start": "left", "middle": "center", "end": "right"}
    for label in drawn.labels:
        if label:
            axes.text(
                label.x, label.y, label.text, ha=sides[label.anchor], fontsize=(SIZE - 1) * points,
                color=colours["ink"], path_effects=halo, parse_math=False,
            )  # fmt: skip
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)  # said by write_map
        figure.savefig(stream, format="png", dpi=200, facecolor=colours["paper"], metadata={"Software": None})
    return stream.getvalue()


def _not_in_font(content: str) -> str:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    known = get_font(findfont(FontProperties())).get_charmap()
    return "".join(sorted(letter for letter in set(content) if ord(letter) not in known))
