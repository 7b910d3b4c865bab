"""The prepared studies, one a file."""

from __future__ import annotations

from motet.study.design import Study
from motet.study.prepared import (
    ablation,
    assessed,
    bits,
    dynamics,
    missing_rate,
    modalities,
    participation,
    quality,
    quality_at_test,
    recipes,
    regret,
    regret_quality,
    skew,
    sync,
    unimodal_share,
)

STUDIES: dict[str, Study] = {
    module.STUDY.name: module.STUDY
    for module in (
        missing_rate,
        quality,
        quality_at_test,
        assessed,
        bits,
        regret,
        regret_quality,
        modalities,
        skew,
        sync,
        unimodal_share,
        participation,
        dynamics,
        recipes,
        ablation,
    )
}
