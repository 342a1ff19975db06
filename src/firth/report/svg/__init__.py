"""Charts as inline SVG. Colours are CSS classes only, so that one drawing serves light, dark and paper."""

from firth.report.svg.arrows import relation_chart
from firth.report.svg.cosines import antonym_chart
from firth.report.svg.intervals import interval_chart
from firth.report.svg.loss import loss_chart
from firth.report.svg.scatter import map_chart

__all__ = ["antonym_chart", "interval_chart", "loss_chart", "map_chart", "relation_chart"]
