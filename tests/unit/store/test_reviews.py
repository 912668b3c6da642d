import pandas as pd
import pytest
from sqlalchemy import Engine

from store.errors import DataError
from store.facts.batch import Batch, FileRows
from store.facts.reading import read_vintages
from store.facts.reviews import decide, read_reviews
from store.facts.writing import write_batch
from tests.data.store_builders import make_proposals, propose

AUGUST = pd.Timestamp("2025-08-01T10:00", tz="UTC")
SEPTEMBER = pd.Timestamp("2025-09-01T10:00", tz="UTC")


def test_items_wait_for_review_in_the_order_they_came(engine: Engine) -> None:
    items = make_proposals({"item_key": "z"}, {"item_key": "a", "published_on": None})

    assert propose(engine, items, at=AUGUST) == 2

    waiting = read_reviews(engine)
    assert waiting["item_key"].tolist() == ["z", "a"]
    assert waiting["published_on"].tolist() == [pd.Timestamp("2025-06-02"), pd.NaT]
    assert waiting["proposed_at"].tolist() == [AUGUST, AUGUST]
    assert waiting["decision"].tolist() == ["", ""]


def test_an_item_is_proposed_once_even_after_it_was_decided(engine: Engine) -> None:
    propose(engine, make_proposals(), at=AUGUST)
    decide(engine, 1, decision="rejected", at=SEPTEMBER, actor="ada")

    again = propose(engine, make_proposals({"title": "anew"}, {"item_key": "b"}), at=SEPTEMBER)

    assert again == 1
    assert read_reviews(engine)["item_key"].tolist() == ["b"]


def test_a_decision_is_noted_and_ends_the_waiting(engine: Engine) -> None:
    propose(engine, make_proposals(), at=AUGUST)

    decide(engine, 1, decision="accepted", at=SEPTEMBER, actor="ada", note="binding")

    assert read_reviews(engine).empty
    row = read_reviews(engine, open_only=False).iloc[0]
    assert (row["decision"], row["decided_by"], row["note"]) == ("accepted", "ada", "binding")
    assert row["decided_at"] == SEPTEMBER


def test_a_decided_item_stays_decided(engine: Engine) -> None:
    propose(engine, make_proposals({}, {"item_key": "b"}), at=AUGUST)
    decide(engine, 1, decision="accepted", at=SEPTEMBER, actor="ada")

    with pytest.raises(DataError, match=r"Review item 1 is accepted .* one that waits: 2\. See"):
        decide(engine, 1, decision="rejected", at=SEPTEMBER, actor="bob")


def test_proposals_in_a_batch_await_review_in_its_transaction(engine: Engine) -> None:
    good = FileRows("federal_register", "f", "a" * 64, {"proposals": make_proposals()})

    report = write_batch(engine, Batch((good,)), ingested_at=AUGUST)

    assert report.rows_written == {"proposals": 1}
    assert read_reviews(engine)["title"].tolist() == ["Magnets"]
    assert read_vintages(engine)["rows"].tolist() == [1]
