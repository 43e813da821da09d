"""Sentences about features: which of them spoke for a genre, and which against it."""

from collections.abc import Callable
from math import floor, isfinite, isnan, log10
from typing import Literal, get_args

import numpy as np
import pandas as pd

from genrescope.explanations.vocabulary import Vocabulary

HIGH, LOW = 0.55, 0.45  # shares of clips: between them a value is in the middle
SMALLEST = 0.0001  # contributions below are not told
ROUNDING = 1e-9  # 0.29 times 100 is a little less than 29

Scale = Literal["log-odds", "probability"]
ShareBelow = Callable[[str, float, str], float | None]


def percent(share: float) -> str:
    """A share in hundredths, rounded down; 100 only where it is all.

    Examples
    --------
    >>> percent(0.29), percent(0.9999), percent(1.0)
    ('29', '99', '100')
    """
    return "100" if share >= 1 else str(min(99, floor(100 * share + ROUNDING)))


def plain(value: float) -> str:
    """A value with three digits that count, from 100 on as a whole number.

    Examples
    --------
    >>> plain(2034.4), plain(0.12), plain(-0.0000453), plain(0.0), plain(float("nan"))
    ('2,034', '0.120', '−0.0000453', '0', '–')
    """
    if not isfinite(value):
        return "–"
    if value == 0:
        return "0"
    digits = max(0, 2 - floor(log10(abs(value))))
    return f"{value:,.{digits}f}".replace("-", "−")


def signed(value: float) -> str:
    """A contribution with its sign and two decimals, or the first digit that counts.

    Examples
    --------
    >>> signed(0.414), signed(-0.2), signed(0.004)
    ('+0.41', '−0.20', '+0.004')
    """
    digits = 2 if value == 0 else max(2, -floor(log10(abs(value))))
    return f"{value:+.{digits}f}".replace("-", "−")


class FeatureSentences(Vocabulary):
    """Sentences about the contributions of features and of musical families."""

    def features(
        self,
        contributions: pd.DataFrame,
        *,
        target: str,
        scale: Scale,
        against: str | None = None,
        reference: str | None = None,
        share_below: ShareBelow | None = None,
        most: int = 3,
        caveats: bool = False,
    ) -> list[str]:
        """Say which features spoke for or against a genre.

        Parameters
        ----------
        contributions : DataFrame
            Columns `feature`, `value` and `contribution`, told in the order of the rows; those
            that contribute less than 0.0001 are left out. A contribution is called the strongest
            only if it is so in the whole table.
        target : str
            The genre.
        scale : {"log-odds", "probability"}
            Of the contributions.
        against : str, optional
            The genre that the target was held against.
        reference : str, optional
            The genre whose training clips the values are compared with.
        share_below : callable, optional
            Share of the reference's training clips whose value of a feature is below the one
            given, those equal to it counted half; None where it is not known. Called with
            feature, value and genre.
        most : int
            Sentences at most.
        caveats : bool
            Whether a feature's caveats follow its sentence, each one once.

        Returns
        -------
        list of str
            One text per feature; without a comparison the value is told.

        Raises
        ------
        ValueError
            Where the scale is another.

        Examples
        --------
        >>> from genrescope.explanations.words import load_language
        >>> table = pd.DataFrame([["rms_std", 0.12, 0.41], ["tempo", 96.0, -0.2]],
        ...                      columns=["feature", "value", "contribution"])
        >>> for sentence in load_language("en").features(
        ...     table, target="Rock/Metal", scale="log-odds", reference="Pop/Dance/RnB",
        ...     share_below=lambda feature, value, genre: 0.92 if feature == "rms_std" else None):
        ...     print(sentence)
        Loudness varies more than in 92% of the Pop/Dance/RnB clips the model learned from; that
        speaks most for Rock/Metal (+0.41 log-odds).
        The tempo is 96.0 BPM; that speaks most against Rock/Metal (−0.20 log-odds).
        """
        if scale not in get_args(Scale):
            raise ValueError(f"the scale is log-odds or probability, not {scale}")
        aim = self._aim(target, against)
        told = contributions[contributions["contribution"].abs() >= SMALLEST]
        sides = np.where(told["contribution"] > 0, "for", "against")
        ranks = told["contribution"].abs().groupby(sides).rank(method="first", ascending=False)
        last = {"for": 0, "against": 0}
        sentences, said = [], set[str]()
        rows = told.assign(side=sides, rank=ranks.astype(int)).head(most)
        for row in rows.to_dict("records"):
            feature, value = str(row["feature"]), float(row["value"])
            side, rank = row["side"], row["rank"]
            order = "most_" if rank == 1 else "next_" if rank == last[side] + 1 else ""
            last[side] = rank
            share = None
            if reference is not None and share_below is not None:
                share = share_below(feature, value, reference)
            sentence = self.texts["features"]["sentence"].format(
                observation=self._observation(feature, value, share, str(reference)),
                verdict=self.texts["verdicts"][order + side].format(target=aim),
                amount=self._amount(signed(row["contribution"]), scale),
            )
            text = self.describe(feature) if caveats else None
            fresh = [caveat for caveat in (text.caveats if text else ()) if caveat not in said]
            said.update(fresh)
            sentences.append(" ".join([sentence, *fresh]))
        return sentences

    def families(
        self,
        contributions: "pd.Series[float]",
        *,
        target: str,
        scale: Scale,
        against: str | None = None,
    ) -> str:
        """Say which musical family spoke most for a genre and which most against it.

        Parameters
        ----------
        contributions : Series
            Indexed by family, as from `by_family`.
        target, scale, against
            As in `features`.

        Returns
        -------
        str
            One sentence.

        Examples
        --------
        >>> from genrescope.explanations.words import load_language
        >>> load_language("en").families(pd.Series({"dynamics": 0.8, "harmony": -0.2}),
        ...                              target="Rock/Metal", scale="log-odds")
        'Taken together, dynamics speaks most for Rock/Metal (+0.80 log-odds), harmony most against
        it (−0.20).'
        """
        known = contributions[contributions.abs() >= SMALLEST]
        above, below = known[known > 0], known[known < 0]
        strongest = above.max() if len(above) else below.min() if len(below) else 0.0
        kind = "both" if len(above) and len(below) else "for" if len(above) else "against"
        return str(
            self.texts["together"][kind if len(known) else "none"].format(
                target=self._aim(target, against),
                family=self.family(str(above.idxmax())) if len(above) else "",
                other=self.family(str(below.idxmin())) if len(below) else "",
                amount=self._amount(signed(strongest), scale),
                number=signed(below.min()) if len(below) else "",
            )
        )

    def _aim(self, target: str, against: str | None) -> str:
        if against is None:
            return target
        return str(self.texts["rather"].format(target=target, against=against))

    def _amount(self, amount: str, unit: str) -> str:
        template = self.texts["amounts"].get(unit)
        return f"{amount} {unit}" if template is None else str(template.format(number=amount))

    def _observation(self, feature: str, value: float, share: float | None, genre: str) -> str:
        texts, text, subject = self.texts["features"], self.describe(feature), self.subject(feature)
        if share is None or isnan(share):
            amount = f"{plain(value)} {text.unit if text else ''}".strip()
            return str(texts["alone"].format(subject=subject, value=amount))
        if LOW < share < HIGH:
            return str(texts["middle"].format(subject=subject, genre=genre))
        side, beyond = ("high", share) if share >= HIGH else ("low", 1 - share)
        phrase = getattr(text, side) if text else self.texts["unknown"][side].format(name=feature)
        return str(
            texts["all" if beyond >= 1 else "share"].format(
                phrase=phrase, genre=genre, percent=percent(beyond)
            )
        )
