"""The published schemas of what Motet writes; `python tests/record/test_result.py` writes them anew."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import BaseModel, ValidationError
from synthetic import comparison, result

import motet
from motet.record.audit import Audit
from motet.record.result import Comparison, Result, to_json
from motet.record.worth import Worth

SCHEMAS = Path(__file__).parents[2] / "docs" / "schema"
PUBLISHED: dict[str, type[BaseModel]] = {
    "result.json": Result,
    "compare.json": Comparison,
    "worth.json": Worth,
    "audit.json": Audit,
}


def schema(model: type[BaseModel]) -> str:
    """Return a model's schema as it is published."""
    return json.dumps(model.model_json_schema(), indent=1) + "\n"


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_schema_is_up_to_date(name: str) -> None:
    text = (SCHEMAS / name).read_text()
    assert text == schema(PUBLISHED[name]), "write it anew with `python tests/record/test_result.py`"
    jsonschema.Draft202012Validator.check_schema(json.loads(text))


def check(name: str, record: Any) -> None:
    """Validate a record against its published schema."""
    jsonschema.validate(record, json.loads((SCHEMAS / name).read_text()), jsonschema.Draft202012Validator)


@pytest.mark.parametrize("recipe", ["fedavg", "qqr", "local"])
@pytest.mark.parametrize("buffer", ["all", 20])
def test_a_real_result_is_valid(recipe: str, buffer: str | int) -> None:
    found = motet.run(
        motet.wearables(clients=3, samples=24, test_people=2),
        recipe=recipe,
        rounds=2,
        features=4,
        encoder="mlp",
        buffer=buffer,
        arrivals=4,
        missing_rate=0.5,
        degraded_rate=0.5,
        flags="oracle",
        validation=buffer == 20,
        evaluate_every=2,
        threads=1,
    )
    text = to_json(found)
    record = json.loads(text)
    check("result.json", record)
    assert to_json(Result.model_validate_json(text)) == text
    assert (record["online"] is None) == (record["validation"] is None) == (buffer == "all")
    assert all((line["meaning"] is None) == (recipe != "qqr") for line in record["history"])
    assert list(record) == list(Result.model_fields)
    worth = to_json(motet.worth(found))
    check("worth.json", json.loads(worth))
    assert to_json(Worth.model_validate_json(worth)) == worth
    audit = to_json(motet.audit(found, clients=1, steps=1))
    check("audit.json", json.loads(audit))
    assert to_json(Audit.model_validate_json(audit)) == audit


NEW = {
    "final": ("accuracy_alone", "dominance", "complementarity", "strong_weak_gap", "double_fault"),
    "history": ("accuracy_alone", "dominance", "update_norm"),
}


def test_a_result_from_before_modalities_were_judged_is_read() -> None:
    record = json.loads(to_json(result()))
    for scores in (record["final"], record["tail"]):
        for name in NEW["final"]:
            del scores[name]
    for line in record["history"]:
        for name in NEW["history"]:
            del line[name]
    check("result.json", record)
    assert Result.model_validate(record).final.accuracy_alone is None


def test_a_real_comparison_is_valid() -> None:
    found = motet.compare(motet.digits(), recipes=["fedavg", "partial"], seeds=2, rounds=1, clients=3, features=4)
    text = to_json(found)
    check("compare.json", json.loads(text))
    assert to_json(Comparison.model_validate_json(text)) == text


def test_made_up_records_of_the_other_tests_are_valid() -> None:
    check("result.json", json.loads(to_json(result())))
    check("compare.json", json.loads(to_json(comparison({"fedavg": [0.5, 0.6], "qqr": [0.7, 0.8]}))))


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(to_json(result()))
    change(record)
    return record


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record.pop("final"),
        lambda record: record.update(more=1),
        lambda record: record.update(format="motet-result/2"),
        lambda record: record["final"].update(accuracy="high"),
        lambda record: record["final"].update(accuracy=None),
        lambda record: record["bytes"].pop("up"),
        lambda record: record["history"][0].update(round=1.5),
        lambda record: record["online"].update(samples="few"),
        lambda record: record["history"][0].pop("meaning"),
        lambda record: record["history"][0].update(meaning={"agreement": {}}),
    ],
)
def test_what_is_no_result_is_refused(change: Callable[[dict[str, Any]], object]) -> None:
    record = changed(change)
    with pytest.raises(jsonschema.ValidationError):
        check("result.json", record)
    with pytest.raises(ValidationError):
        Result.model_validate(record)


def test_a_history_of_before_participation_was_noted_can_be_read() -> None:
    record = changed(lambda old: [line.pop("participation") for line in old["history"]])
    check("result.json", record)
    assert Result.model_validate(record).history[0].participation == {}


def test_a_result_of_before_validation_was_evaluated_can_be_read() -> None:
    record = changed(lambda old: old.pop("validation"))
    check("result.json", record)
    assert Result.model_validate(record).validation is None


def test_a_number_that_is_none_is_not_written() -> None:
    broken = result()
    broken = broken.model_copy(update={"final": broken.final.model_copy(update={"loss": float("nan")})})
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json(broken)


if __name__ == "__main__":
    for name, model in PUBLISHED.items():
        (SCHEMAS / name).write_text(schema(model))
