"""What it costs when labels, devices and their links are not ideal."""

from __future__ import annotations

from motet.study.archives import PHONEWATCH, QUICK, SMALL, STREAM, UCIHAR, recipes
from motet.study.design import Design, Search, Study, Variant

_ROWS = recipes("fedavg", "partial", "qqr", "fedmchain", "motet")
_AS_USUAL = Variant("as in the other studies", {})
_EVERY_ROUND = Variant("another modality every round", {"missing_pattern": "alternating", "missing_period": 1})
_DROPOUT = Variant("a third of the clients drop out", {"client_dropout": 1 / 3})
_LATE = {"upload_delay": 2, "late_share": 1 / 3}
_DROPPED = Variant("a third of the uploads two rounds late, dropped", {**_LATE, "late_uploads": "drop"})
_WEIGHED = Variant("a third of the uploads two rounds late, weighed", {**_LATE, "late_uploads": "weigh"})
_FEW_LABELS = Variant("a fifth of the labels", {"label_rate": 0.2})
_HARM = {"missing_rate": 0.5, "link_rate": 20, "link_latency": 0.1}
"""As in the other studies; and a slow link, whose time is added up and harms nothing."""

STUDY = Study(
    name="dynamics",
    question="What does it cost when modalities, labels, devices and uploads come and go?",
    axis="circumstances",
    small=Design(
        settings={**QUICK, **_HARM},
        panels=(SMALL,),
        points=(_AS_USUAL, _EVERY_ROUND, _DROPOUT, _WEIGHED, _FEW_LABELS),
        rows=_ROWS,
        seeds=3,
    ),
    full=Design(
        settings={**STREAM, **_HARM},
        panels=(UCIHAR, PHONEWATCH),
        points=(
            _AS_USUAL,
            _EVERY_ROUND,
            Variant("bursty", {"missing_pattern": "bursty", "missing_length": 10}),
            _DROPOUT,
            _DROPPED,
            _WEIGHED,
            Variant("labels ten rounds late", {"label_delay": 10}),
            _FEW_LABELS,
            Variant("a tenth of the labels wrong", {"label_noise": 0.1}),
            Variant("a sensor's gain changes twice", {"drift_at": [10, 20], "drift_kind": "gain"}),
        ),
        rows=_ROWS,
        seeds=5,
        search=Search({"lr": (0.005, 0.002, 0.01)}, seeds=2, at=_AS_USUAL.name),
    ),
    pairs=(("partial", "fedavg"), ("qqr", "fedavg"), ("fedmchain", "fedavg"), ("motet", "fedavg")),
    figures=("accuracy", "sent", "time on the link"),
    reference=_AS_USUAL.name,
)
