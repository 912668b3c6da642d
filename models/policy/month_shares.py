"""Quarters and weeks as months: what lies evenly over the days of a period, added up by month.

Controls act by the month (``models.policy.response``); a panel of other periods is answered in the
months that its periods cover, and each period takes the answer of the months it lies in.
"""

from dataclasses import dataclass, replace

import numpy as np

from models.engine.quantiles import Quantiles
from store.arrays import Floats
from store.frequency import Frequency, days_of_months, months_of_days


@dataclass(frozen=True, slots=True)
class MonthShares:
    """How the periods of a panel, past ones and those forecast, lie in months."""

    first: int
    """Month number of the first month."""
    past: int
    """Whole months up to the cutoff."""
    shares: Floats
    """Periods x months: share of each period's days in each month."""
    known: Floats
    """By month the share of its days that the periods cover."""

    @classmethod
    def of(cls, first: int, count: int, horizon: int, frequency: Frequency) -> "MonthShares":
        """Return the months of ``count`` known periods from ``first`` on and those after them."""
        numbers = np.arange(first, first + count + horizon)
        ends = frequency.last_days(numbers)
        starts = frequency.last_days(numbers - 1) + 1
        # The first whole month; the last one may be covered in part.
        begin = int(months_of_days(starts[:1] - 1)[0]) + 1
        months = np.arange(begin, int(months_of_days(ends[-1:])[0]) + 1)
        opens, closes = days_of_months(months), days_of_months(months + 1) - 1
        shared = np.minimum(ends[:, None], closes) - np.maximum(starts[:, None], opens) + 1
        days = np.clip(shared, 0, None).astype(np.float64)
        past = int((closes <= ends[count - 1]).sum())
        length = (ends - starts + 1).astype(np.float64)
        return cls(begin, past, days / length[:, None], days.sum(axis=0) / (closes - opens + 1))

    def history(self, tonnes: Floats) -> Floats:
        """Return series x whole months up to the cutoff of series x periods, NaN where missing."""
        shares, known = self.shares[: tonnes.shape[1], : self.past], np.isfinite(tonnes)
        missing = (~known).astype(np.float64) @ (shares > 0)
        return np.where(missing > 0, np.nan, np.where(known, tonnes, 0.0) @ shares)

    def months(self, forecasts: Quantiles, tonnes: Floats) -> Quantiles:
        """Return forecasts by month: of a month in part with what is known of it, in full size.

        Args:
            forecasts: By period.
            tonnes: All series x periods up to the cutoff.
        """
        count = tonnes.shape[1]
        ahead, before = self.shares[count:, self.past :], self.shares[:count, self.past :]
        begun = np.nan_to_num(tonnes[forecasts.rows]) @ before
        covered = self.known[self.past :]
        values = np.einsum("spq,pm->smq", forecasts.tonnes, ahead) + begun[:, :, None]
        mean = (forecasts.mean @ ahead + begun) / covered
        return Quantiles(forecasts.rows, values / covered[None, :, None], mean, mean, {})

    def answered(self, forecasts: Quantiles, plain: Quantiles, found: Quantiles) -> Quantiles:
        """Return forecasts by period, changed as those by month were.

        Args:
            forecasts: The ordinary forecasts, by period.
            plain: The same by month, as ``months`` returns.
            found: Those by month with the answer.
        """
        ahead = self.shares[-forecasts.mean.shape[1] :, self.past :]
        kept = np.einsum("pm,smq->spq", ahead, _kept(found.tonnes, plain.tonnes))
        mean = forecasts.mean * (_kept(found.mean, plain.mean) @ ahead.T)
        return replace(forecasts, tonnes=np.sort(forecasts.tonnes * kept, axis=2), mean=mean)


def _kept(found: Floats, plain: Floats) -> Floats:
    return np.divide(found, plain, out=np.ones_like(plain), where=plain > 0)
