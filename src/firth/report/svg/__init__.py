"""Charts as inline SVG. Colours are CSS classes only, so that one drawing serves light, dark and paper."""

from firth.report.svg.arrows import relation_chart
from firth.report.svg.bars import bar_chart
from firth.report.svg.chance import chance_chart
from firth.report.svg.cosines import antonym_chart
from firth.report.svg.heat import attention_chart, head_thumbnail, strength_key
from firth.report.svg.intervals import interval_chart
from firth.report.svg.loss import loss_chart
from firth.report.svg.scatter import map_chart
from firth.report.svg.seeds import seed_chart
from firth.report.svg.senses import sense_chart, sense_swatch, static_chart
from firth.report.svg.strips import span, strip_chart
from firth.report.svg.systems import system_chart

__all__ = [
    "antonym_chart",
    "attention_chart",
    "bar_chart",
    "chance_chart",
    "head_thumbnail",
    "interval_chart",
    "loss_chart",
    "map_chart",
    "relation_chart",
    "seed_chart",
    "sense_chart",
    "sense_swatch",
    "span",
    "static_chart",
    "strength_key",
    "strip_chart",
    "system_chart",
]
