"""Whether a confidence means what it says: reliability curves, and isotonic calibration of a score to a frequency.

A score is calibrated where of the stars with score 0.8 eight in ten are good. The classifiers learn from balanced examples, so their raw scores
are not, by design; the isotonic regression (scikit-learn) of good against raw score, on stars withheld from the learning, makes them so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

Vector = Float[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class Calibration:
    """A rising piecewise-linear function of the raw score, by its corners; it reaches neither 0 nor 1."""

    score: Float[Tensor, " corners"]
    frequency: Float[Tensor, " corners"]

    @classmethod
    def fitted(cls, score: Vector, good: Bool[np.ndarray, " n"]) -> Self:
        """The isotonic regression of ``good`` on ``score``, held off certainty by the rule of succession: 1/(n + 2) of n examples."""
        from sklearn.isotonic import IsotonicRegression

        least = 1 / (len(score) + 2)
        fit = IsotonicRegression(y_min=least, y_max=1 - least, out_of_bounds="clip").fit(score, good.astype(np.float64))
        return cls(*(torch.from_numpy(np.asarray(each, np.float64)) for each in (fit.X_thresholds_, fit.y_thresholds_)))

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Self:
        """The calibration of stored tensors."""
        return cls(tensors["score"], tensors["frequency"])

    def tensors(self) -> dict[str, Tensor]:
        """What to store."""
        return {"score": self.score, "frequency": self.frequency}

    def of(self, score: Vector) -> Vector:
        """Calibrated confidence of each raw score; NaN for NaN."""
        return np.asarray(np.interp(score, self.score.numpy(), self.frequency.numpy()))


def area_under_curve(score: Vector, good: Bool[np.ndarray, " n"]) -> tuple[float, float]:
    """The chance that of a good and a bad star the good one has the higher score, and how many standard errors that is above a half.

    The standard error is that of scores without any meaning (Mann & Whitney 1947); NaN twice where one kind is missing.
    """
    from sklearn.metrics import roc_auc_score

    n, m = int(good.sum()), int((~good).sum())
    if not n or not m:
        return float("nan"), float("nan")
    area = float(roc_auc_score(good, score))
    return area, (area - 0.5) / float(np.sqrt((n + m + 1) / (12 * n * m)))


def reliability(score: Vector, good: Bool[np.ndarray, " n"], bins: int = 10) -> dict[str, Any]:
    """The reliability curve in bins of equal width, as JSON holds it: of each bin with stars the mean score and the share that is good.

    ``brier`` is the mean of (score - good)^2, ``expected_calibration_error`` the mean of |score - share of good| over the stars' bins.
    """
    which = np.clip((score * bins).astype(np.int64), 0, bins - 1)
    stars = np.bincount(which, minlength=bins)
    seen = stars > 0
    count = stars[seen]
    mean = np.bincount(which, weights=score, minlength=bins)[seen] / count
    share = np.bincount(which, weights=good.astype(np.float64), minlength=bins)[seen] / count
    return {
        "from": (np.flatnonzero(seen) / bins).tolist(),
        "to": ((np.flatnonzero(seen) + 1) / bins).tolist(),
        "stars": count.tolist(),
        "mean_score": mean.tolist(),
        "good_share": share.tolist(),
        "brier": float(np.mean((score - good) ** 2)),
        "expected_calibration_error": float((np.abs(mean - share) * count).sum() / count.sum()),
    }
