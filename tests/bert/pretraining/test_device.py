"""What a device says of a precision that does not suit it."""

import pytest

from firth.bert.pretraining import device
from firth.bert.pretraining.device import Device
from firth.config.bert import Bert
from firth.config.usages import Evaluation
from firth.tasks.encoders.device import device_of
from firth.training import products

ON_CPU = {"accelerator": "cpu", "precision": "bf16"}


@pytest.fixture
def said(monkeypatch, capsys):
    """Says what stands on the error stream, where products in bfloat16 take `cost` times as long."""

    def of(cost, ask):
        monkeypatch.setattr(device, "bfloat16_cost", lambda: cost)
        device.say_slow_bfloat16.cache_clear()
        ask()
        ask()
        return capsys.readouterr().err

    yield of
    device.say_slow_bfloat16.cache_clear()


def test_bf16_on_a_cpu_without_instructions_for_it_is_said_once(said):
    line = said(80.0, lambda: Device.of(Bert(**ON_CPU)))
    assert (
        line
        == "bert.precision is bf16, but this CPU multiplies in it 80 times more slowly than in fp32: set it to fp32\n"
    )
    assert said(80.0, lambda: device_of(Evaluation(**ON_CPU))).startswith("evaluation.precision is bf16")


@pytest.mark.parametrize(("cost", "settings"), [(0.4, ON_CPU), (80.0, {**ON_CPU, "precision": "fp32"})])
def test_nothing_is_said_where_it_suits(said, cost, settings):
    assert said(cost, lambda: (Device.of(Bert(**settings)), device_of(Evaluation(**settings)))) == ""


def test_the_cost_is_that_of_products(monkeypatch):
    seconds = {products.torch.float32: 2.0, products.torch.bfloat16: 50.0}
    monkeypatch.setattr(products, "_seconds_of_product", seconds.__getitem__)
    products.bfloat16_cost.cache_clear()
    try:
        assert products.bfloat16_cost() == 25.0
    finally:
        products.bfloat16_cost.cache_clear()
    monkeypatch.undo()
    assert products.bfloat16_cost() > 0
