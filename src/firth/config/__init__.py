"""The parameters of a project: a frozen mirror of `params.yaml`, one module a section, presets beside it."""

from firth.config.load import load_params, load_preset, preset_names, with_overrides
from firth.config.params import Params

__all__ = ["Params", "load_params", "load_preset", "preset_names", "with_overrides"]
