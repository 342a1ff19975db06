"""Counts against numbers by hand and torch's own; times and money on a clock that the test moves."""

import json

import numpy as np
import pytest
import torch
from fables import fable_store, small_training
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from firth.bert.architecture import Architecture
from firth.bert.data.packing import pack
from firth.bert.data.plan import Cursor
from firth.bert.data.shares import Counts
from firth.bert.data.steps import Steps
from firth.bert.data.text import Text
from firth.bert.pretraining import meters as module
from firth.bert.pretraining.continuation import first_weights
from firth.bert.pretraining.device import Device
from firth.bert.pretraining.losses import pretraining_losses
from firth.bert.pretraining.meters import Meters, Work, known_peak, measured_peak, peak
from firth.bert.pretraining.train import pretrain
from firth.config.bert import Ramp, SecondPhase
from firth.training.metrics_log import MetricsLog

CPU = Device("cpu", "fp32")


def test_base_by_hand():
    """12 layers of 768, 3072 wide, 30,522 pieces."""
    work = Work.of(Architecture.of("base", 30_522), next_sentence=True)
    # 85M weights of the encoder's matrices, two operations each: 12 · (4 · 768² + 2 · 768 · 3072) = 84,934,656
    assert work.token == 2 * 84_934_656
    assert work.square == 12 * 4 * 768
    assert work.prediction == 2 * (768 * 768 + 768 * 30_522)
    assert work.instance == 2 * (768 * 768 + 2 * 768)
    # One instance of 512 tokens, 77 of them predicted
    expected = 86_973_087_744 + 9_663_676_416 + 3_700_730_880 + 1_182_720
    assert work.training(Counts(512, 77, 1, 512, 512 * 512)) == 3 * expected
    assert Work.of(Architecture.of("base", 30_522), next_sentence=False).instance == 0


@pytest.mark.parametrize("next_sentence", [True, False])
def test_as_torch_counts_them(tmp_path, next_sentence):
    """A batch of instances of one length: attention on its padded grid then computes nothing for nothing."""
    store = fable_store(tmp_path)
    settings = small_training(dropout=0.0, short_sequences=0.0, next_sentence=next_sentence)
    instances = Steps(Text.of(store.train), store.tokenizer, settings).phases[0].instances
    chosen, _ = instances.following(Cursor(), 60)
    lengths = chosen.spans[:, 1] + chosen.spans[:, 3]
    batch = pack(instances.batch(chosen.take(np.flatnonzero(lengths == lengths.max())[:3])))
    assert batch.squares == 3 * (batch.tokens // 3) ** 2
    model = first_weights(settings, store.tokenizer, None)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        logits = model.packed(batch.ids, batch.segments, batch.layout, batch.predicted)
        mlm, nsp = pretraining_losses(logits, batch)
        (mlm + nsp).backward()
    ours = Work.of(model.architecture, next_sentence).training(Counts.of([batch]))
    untrained = 0 if next_sentence else 3 * 2 * (128**2 + 2 * 128)  # computed forwards, and not counted by us
    assert counter.get_total_flops() == ours + untrained


def test_squares_are_those_of_real_instances(tmp_path):
    store = fable_store(tmp_path)
    plain = small_training(short_sequences=0.5)
    for settings in (plain, plain.model_copy(update={"packing": True})):
        step = Steps(Text.of(store.train), store.tokenizer, settings).at(0, Cursor())
        lengths = [b.layout.offsets.diff()[: b.instances].long() for b in step.batches]
        assert step.counts.squares == sum(int(part.square().sum()) for part in lengths)
        assert step.tokens == sum(int(part.sum()) for part in lengths)


@pytest.mark.parametrize(
    ("name", "bf16", "fp32"),
    [
        ("NVIDIA H100 80GB HBM3", 989, 67),
        ("NVIDIA H100 PCIe", 756, 51),
        ("NVIDIA H200", 989, 67),
        ("NVIDIA A100-SXM4-40GB", 312, 19.5),
        ("NVIDIA A10", 125, 31.2),
        ("NVIDIA A10G", 70, 35),
        ("NVIDIA L40S", 362, 91.6),
        ("NVIDIA L4", 121, 30.3),
        ("NVIDIA GeForce RTX 4090", 165.2, 82.6),
    ],
)
def test_peaks_of_known_gpus(name, bf16, fp32):
    assert known_peak(name, "bf16") == pytest.approx(bf16 * 1e12)
    assert known_peak(name, "fp32") == pytest.approx(fp32 * 1e12)


@pytest.mark.parametrize("name", ["NVIDIA RTX A4000", "Tesla K80", "NVIDIA H100 80GB HBM3 MIG 1g.10gb"])
def test_other_gpus_are_measured(name):
    assert known_peak(name, "bf16") is None


def test_the_measured_peak_leaves_chance_alone():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    assert 1e9 < measured_peak(CPU) < 1e14
    assert torch.equal(torch.get_rng_state(), before)


def test_the_fastest_product_so_far_is_the_peak(monkeypatch):
    speeds = iter([2e11, 3e11, 1e11])
    monkeypatch.setattr(module, "_fastest", {})
    monkeypatch.setattr(module, "measured_peak", lambda _device: next(speeds))
    assert [peak(CPU) for _ in range(3)] == [2e11, 3e11, 3e11]


class Clock:
    """Stands for `time`: both clocks show what the test sets."""

    now = 0.0

    def monotonic(self):
        return self.now

    perf_counter = monotonic


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(module, "peak", lambda _device: 1000.0)
    return clock


def step_of(tokens, computed):
    return Counts(tokens, predictions=0, instances=0, computed=computed, squares=0)


def test_a_row_shows_what_was_added_since_the_row_before(clock):
    meters = Meters(Work(token=10, square=0, prediction=0, instance=0), CPU, devices=2, price=3.0, spent=0.5)

    def slow():
        for number in range(3):
            clock.now += 0.5
            yield number

    for _ in meters.waiting(slow()):
        clock.now += 1.5
        meters.add(step_of(tokens=60, computed=100), 2.0)
    assert meters.note(None) == ""
    row = meters.row()
    assert row.pop("train/memory_gb") > 0.01
    assert row == {
        "train/tokens_per_second": 30.0,
        "train/mfu": pytest.approx(3 * 10 * 180 / 6.0 / 2000.0),
        "train/padding": pytest.approx(0.4),
        "train/data_wait": pytest.approx(0.25),
        "train/cost": pytest.approx(0.5 + 3.0 * 2 * 6.0 / 3600),
    }
    assert meters.note(1200.0).startswith("MFU 45%, ")
    assert meters.note(1200.0).endswith("GB, padding 40%, waits 25%, cost 0.51 of 2.51")
    meters.add(step_of(tokens=50, computed=50), 1.0)
    row = meters.row()
    assert (row["train/tokens_per_second"], row["train/padding"], row["train/data_wait"]) == (50.0, 0.0, 0.0)
    assert "waits" not in meters.note(None)
    assert " of " not in meters.note(None)


def test_without_a_price_nothing_is_said_of_cost(clock):
    meters = Meters(Work(10, 0, 0, 0), CPU, devices=1, price=0.0)
    meters.add(step_of(60, 60), 2.0)
    assert "train/cost" not in meters.row()
    assert "cost" not in meters.note(5.0)


def test_a_training_logs_its_meters_and_goes_on_with_its_cost(tmp_path, capfd, monkeypatch):
    settings = small_training(price=7200.0, steps=20)
    store = fable_store(tmp_path / "s")
    shown = []

    def stopped(step, metrics):
        shown.append(metrics)
        if step == 16:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pretrain(store, settings, tmp_path / "r", stopped)
    names = {"mfu", "padding", "data_wait", "memory_gb", "cost", "tokens_per_second"}
    assert {f"train/{name}" for name in names} <= set(shown[0])
    assert 0 < shown[0]["train/mfu"] < 1.5
    trained = pretrain(store, settings, tmp_path / "r", lambda _step, metrics: shown.append(metrics))
    costs = [row["train/cost"] for row in shown]
    assert 0 < costs[0] < costs[1] < costs[2]
    assert costs[-1] > costs[-2] > costs[1]
    assert [line["metrics"]["train/cost"] for line in MetricsLog(tmp_path / "r").read()][-1] == costs[-1]
    assert not {f"train/{name}" for name in names} & set(trained.metrics)
    line = capfd.readouterr().err.splitlines()[-1]
    assert "MFU" in line
    assert "cost" in line
    newest = max((tmp_path / "r" / "checkpoints").iterdir()) / "state.json"
    assert "mfu" not in json.dumps(json.loads(newest.read_text())["state"])


def test_a_time_budget_is_shown(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr("firth.progress.LINE_SECONDS", 0.0)
    pretrain(fable_store(tmp_path / "s"), small_training(minutes=30.0, steps=6), tmp_path / "r", lambda *_: None)
    lines = capfd.readouterr().err.splitlines()
    assert " of 30:00 (0%)" in lines[0]
    assert "tokens/s" in lines[0]


def test_remaining_tokens_over_a_ramp_and_two_phases(tmp_path):
    settings = small_training(
        steps=20, ramp=Ramp(start=2, steps=4), second_phase=SecondPhase(share=0.25, length=64, batch=4)
    )
    store = fable_store(tmp_path)
    steps = Steps(Text.of(store.train), store.tokenizer, settings)
    each = [steps.phases[steps.phase_of(n)].tokens(steps.rows(n)) for n in range(20)]
    left = steps.remaining_tokens()
    assert left.tolist() == pytest.approx([sum(each[n:]) for n in range(21)])
    assert left[-1] == 0.0
