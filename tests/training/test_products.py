import pytest
import torch

from firth.training import products
from firth.training.products import by_onednn, fast_products


def product(a, b):
    return (a @ b.T).double()


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 70, 5), (300, 64, 1000), (512, 256, 256)])
def test_products_are_float32_products(shape):
    """As close to the exact ones as float32 comes; and so are gradients."""
    rows, inner, columns = shape
    generator = torch.Generator().manual_seed(2)
    a, b = torch.randn(rows, inner, generator=generator), torch.randn(columns, inner, generator=generator)
    with fast_products():
        a.requires_grad_()
        found = a @ b.T
        found.sum().backward()
    exact = a.detach().double() @ b.double().T
    torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=1e-5 * inner**0.5)
    torch.testing.assert_close(a.grad.double(), b.double().sum(0).expand(rows, -1), rtol=1e-5, atol=1e-4)


def test_torch_is_left_as_it_was():
    before = torch.backends.mkldnn.matmul.fp32_precision
    with pytest.raises(ZeroDivisionError), fast_products():
        1 / 0  # noqa: B018
    assert torch.backends.mkldnn.matmul.fp32_precision == before


@pytest.mark.parametrize(("maker", "exact", "taken"), [("AuthenticAMD", True, True), ("AuthenticAMD", False, False),
                                                       ("GenuineIntel", True, False)])  # fmt: skip
def test_only_exact_products_on_other_makers_cpus_are_taken_over(monkeypatch, maker, exact, taken):
    monkeypatch.setattr(products, "_maker", lambda: maker)
    monkeypatch.setattr(products, "_is_exact", lambda: exact)
    by_onednn.cache_clear()
    try:
        assert by_onednn() is (taken and torch.backends.mkldnn.is_available())
    finally:
        by_onednn.cache_clear()


def test_products_with_rounded_factors_are_found_out(monkeypatch):
    """What a CPU that makes use of the permission would do."""
    inner = torch.Tensor.__matmul__

    def rounded(a, b):
        if a.dtype == torch.float32 and torch.backends.mkldnn.matmul.fp32_precision == "bf16":
            return inner(a.bfloat16().float(), b.bfloat16().float())
        return inner(a, b)

    monkeypatch.setattr(torch.Tensor, "__matmul__", rounded)
    assert not products._is_exact()
