"""docs/architecture.svg: the rooms of operator/boardroom, and the four ways through them. `make docs` writes it."""

from dataclasses import dataclass
from html import escape
from typing import Final

from tools.pages import ROOT

FILE: Final = ROOT / "docs" / "architecture.svg"
_WIDTH: Final = 1000
_HEIGHT: Final = 690
_LINE: Final = 19
_STYLE: Final = """
  .paper { fill: #ffffff; } .box { fill: #f3f5f8; stroke: #8a94a3; } .inner { fill: #ffffff; stroke: #b6bfca; }
  text { font-family: system-ui, sans-serif; font-size: 14px; fill: #1c2430; } .room { font-weight: 600; }
  .small { font-size: 12.5px; fill: #4a5565; } .way { fill: none; stroke-width: 2.5; }
  .question { stroke: #1463c4; } .yaml { stroke: #23803a; } .status { stroke: #b45309; } .adapter { stroke: #8a3ab9; }
  text.question { fill: #1463c4; } text.yaml { fill: #23803a; } text.status { fill: #b45309; }
  text.adapter { fill: #8a3ab9; } text.question, text.yaml, text.status, text.adapter { stroke: none; font-size: 13px; }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #161b22; } .box { fill: #202733; stroke: #6b7789; } .inner { fill: #161b22; stroke: #4b5667; }
    text { fill: #e4e9f0; } .small { fill: #aab4c2; }
    .question { stroke: #6aaefc; } .yaml { stroke: #5cc878; } .status { stroke: #f0a04b; } .adapter { stroke: #cf93f0; }
    text.question { fill: #6aaefc; } text.yaml { fill: #5cc878; } text.status { fill: #f0a04b; }
    text.adapter { fill: #cf93f0; }
  }
"""


@dataclass(frozen=True, slots=True)
class Box:
    """A room, or something outside; sizes are pixels. The title is bold; lines follow below it."""

    title: str
    x: int
    y: int
    width: int
    height: int
    lines: tuple[str, ...] = ()
    style: str = "box"

    def svg(self) -> str:
        parts = [
            _rect(self.style, f'x="{self.x}" y="{self.y}" width="{self.width}" height="{self.height}" rx="6"'),
            _text(self.x + 12, self.y + 22, self.title, "room"),
        ]
        parts += [
            _text(self.x + 12, self.y + 22 + _LINE * number, line, "small")
            for number, line in enumerate(self.lines, start=1)
        ]
        return "\n".join(parts)


@dataclass(frozen=True, slots=True)
class Arrow:
    """A part of one of the four ways, with its words beside it."""

    way: str
    points: tuple[tuple[int, int], ...]
    words: str
    at: tuple[int, int]

    def svg(self) -> str:
        path = " L".join(f"{x} {y}" for x, y in self.points)
        arrow = f'<path class="way {self.way}" d="M{path}" marker-end="url(#{self.way})"/>'
        return arrow + "\n" + _text(*self.at, self.words, self.way)


BOXES: Final = (
    Box("kubectl, Helm, GitOps", 20, 20, 300, 56, ("Boardroom and BoardAgent as YAML",)),
    Box("cli/", 400, 20, 130, 56, ("boardroom …",)),
    Box("client/", 550, 20, 130, 56, ("from Python",)),
    Box("any HTTP or OpenAI client", 700, 20, 280, 56, ("curl, openai, Open WebUI",)),
    Box(
        "Kubernetes API server",
        20,
        150,
        300,
        76,
        ("Boardroom, BoardAgent, their status,", "Deployments, Services, Leases"),
    ),
    Box(
        "controller/: the operator, two pods",
        20,
        310,
        300,
        95,
        ("watch/: what is there", "plan/: what should be there: pure", "apply/: the difference · status/: conditions"),
    ),
    Box(
        "coordinator/: one to eight pods for each board",
        500,
        150,
        480,
        150,
        (
            "http/: requests, streams, the OpenAI endpoint · auth/",
            "deliberation/: modes, batches, votes",
            "backends/: LoRAX servers, adapters, health, probes",
            "board/: roster · conversations/: memory or Redis",
            "status/: what it writes · peers/: leader and followers",
        ),
    ),
    Box("The GPU pod", 500, 420, 480, 110),
    Box("LoRAX", 515, 452, 220, 64, ("or simulator/, without a GPU",), "inner"),
    Box("adapters/: the sidecar", 755, 452, 210, 64, ("fetches, checks, lists",), "inner"),
    Box("Volume, Hugging Face or S3", 690, 614, 290, 56, ("one directory for each adapter",)),
    Box(
        "Shared rooms",
        20,
        450,
        300,
        118,
        (
            "kube/: one Kubernetes client for both",
            "engine/: the seam to inference servers",
            "api/: the nouns: CRDs, HTTP bodies",
            "telemetry/: logs, traces",
        ),
    ),
    Box("cluster/", 20, 586, 300, 56, ("a Kubernetes to try and test on",)),
)
ARROWS: Final = (
    Arrow("question", ((620, 76), (620, 150)), "1 a question", (628, 118)),
    Arrow("question", ((640, 300), (640, 452)), "one batch,", (560, 366)),
    Arrow("question", ((530, 48), (550, 48)), "", (0, 0)),
    Arrow("question", ((840, 76), (840, 150)), "", (0, 0)),
    Arrow("yaml", ((110, 76), (110, 150)), "2 YAML", (118, 118)),
    Arrow("yaml", ((110, 226), (110, 310)), "watch", (118, 273)),
    Arrow("yaml", ((320, 340), (410, 340), (410, 260), (500, 260)), "makes", (420, 278)),
    Arrow("yaml", ((320, 375), (410, 375), (410, 475), (500, 475)), "makes", (420, 466)),
    Arrow("status", ((500, 190), (320, 190)), "3 status of LoRAX,", (352, 160)),
    Arrow("status", ((230, 310), (230, 226)), "conditions", (238, 273)),
    Arrow("adapter", ((860, 614), (860, 516)), "4 an adapter", (868, 576)),
    Arrow("adapter", ((860, 452), (860, 300)), "what lies there", (868, 366)),
    Arrow("adapter", ((700, 300), (700, 452)), "a probe loads it", (708, 366)),
)
NOTES: Final = (
    (560, 384, "by engine/", "question"),
    (352, 178, "members, adapters", "status"),
)


def render() -> str:
    """The drawing as the text of its file."""
    size = f'width="{_WIDTH}" height="{_HEIGHT}"'
    markers = [
        f'<marker id="{way}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="5" markerHeight="5" orient="auto">'
        f'<path class="way {way}" d="M1 1 L7 4 L1 7"/></marker>'
        for way in ("question", "yaml", "status", "adapter")
    ]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" {size}>',
        "<title>The rooms of the Boardroom operator, and the ways of a question, YAML, status and an adapter</title>",
        f"<style>{_STYLE}</style>",
        "<defs>",
        *markers,
        "</defs>",
        _rect("paper", f'{size} rx="8"'),
        *(box.svg() for box in BOXES),
        *(arrow.svg() for arrow in ARROWS),
        *(_text(*note) for note in NOTES),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _rect(style: str, place: str) -> str:
    return f'<rect class="{style}" {place}/>'


def _text(x: int, y: int, words: str, style: str) -> str:
    return f'<text class="{style}" x="{x}" y="{y}">{escape(words)}</text>' if words else ""


if __name__ == "__main__":
    FILE.write_text(render(), encoding="utf-8")
