"""Observations are rows: some of them, elsewhere, in another precision; missing bands are those with an infinite error."""

import torch

from models.forward.observed.observations import KnownLabels, Observations


def _observations(n: int) -> Observations:
    torch.manual_seed(0)
    error = torch.rand(n, 3, dtype=torch.float64)
    error[0, 1] = torch.inf
    whitening = torch.rand(n, 3, 3, dtype=torch.float64)
    return Observations(torch.rand(n, 3, dtype=torch.float64), error, whitening, torch.arange(n).double(), torch.ones(n).double())


def test_rows_are_taken_by_index_slice_and_mask_in_every_tensor() -> None:
    whole = _observations(5)
    assert len(whole) == 5
    for index in (torch.tensor([3, 0, 3]), slice(1, 4), torch.tensor([True, False, True, False, False])):
        some = whole.take(index)
        assert torch.equal(some.parallax, whole.parallax[index])
        assert torch.equal(some.whitening, whole.whitening[index])
        assert len(some) == len(whole.parallax[index])


def test_another_precision_applies_to_every_tensor() -> None:
    single = _observations(2).to(dtype=torch.float32)
    assert {single.flux.dtype, single.flux_error.dtype, single.whitening.dtype, single.parallax.dtype} == {torch.float32}
    assert torch.isinf(single.flux_error[0, 1])


def test_a_band_is_present_where_its_error_is_finite() -> None:
    present = _observations(2).present
    assert present.tolist() == [[True, False, True], [True, True, True]]


def test_labels_are_rows_too() -> None:
    labels = KnownLabels(torch.zeros(4, 3), torch.full((4, 3), torch.inf), torch.arange(4.0), torch.ones(4))
    assert labels.take(torch.tensor([2])).ext.item() == 2.0
