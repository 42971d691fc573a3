"""Facts of invented scorers, for the report's tests."""

from __future__ import annotations

from tasks.reporting.facts import Classified, Decile, Distribution, Fluency, Said, Scored, Threshold


def a_scoring(spread: Distribution) -> Scored:
    tenths = [i / 10 for i in range(10)]
    quality = Classified(
        signal="quality",
        title="质量分 quality",
        learned_from=(18_211, 16_020),
        held_out=(2276, 2003),
        auc=0.9712,
        average_precision=0.968,
        brier=0.062,
        reliability=tuple(
            Said(said=t + 0.05, was=min(1.0, t + 0.02 + t * t / 9), texts=900 - 60 * i) for i, t in enumerate(tenths)
        ),
        deciles=tuple(Decile(low=t, high=t + 0.1, texts=428, share=t * t) for t in tenths),
        thresholds=tuple(
            Threshold(threshold=t, positives_above=1 - t / 4, negatives_above=1 - t, precision=0.5 + t / 2)
            for t in tenths
        ),
    )
    return Scored(
        classifiers=(quality, quality.model_copy(update={"signal": "spam", "title": "垃圾 spam"})),
        fluency=Fluency(
            texts=1204, chars=6_500_112, by_order=(9.61, 7.2, 6.44, 6.31), quantiles={"0.5": 6.2, "0.95": 7.9}
        ),
        distributions=(spread,),
        deciles=tuple(Decile(low=t, high=t + 0.1, texts=223, chars=181_000, share=min(1.0, 0.4 + t)) for t in tenths),
    )
