import pandas as pd
from sqlalchemy import Engine

from store.facts.commodities import evidence_digests, read_evidence
from store.facts.reading import read_observations
from store.facts.writing import write_batch
from tests.data.store_builders import make_batch, make_observations

JULY_20 = pd.Timestamp("2025-07-20", tz="UTC")


def test_a_row_of_the_very_moment_is_known_and_a_later_one_is_not(engine: Engine) -> None:
    rows = make_observations({}, {"destination": "DEU", "available_at": "2025-07-20T00:00:01Z"})
    write_batch(engine, make_batch(rows))

    known = read_observations(engine, as_of=JULY_20)

    assert known["destination"].tolist() == ["USA"]


def test_figures_of_a_commodity_of_some_or_of_a_source_are_read(engine: Engine) -> None:
    rows = make_observations({}, {"commodity": "gallium"}, {"commodity": "850511", "source": "ct"})
    write_batch(engine, make_batch(rows))

    asked = ({"commodities": ["gallium", "850511"]}, {"commodity": "gallium"}, {"source": "ct"})

    assert [[*read_observations(engine, **words)["commodity"]] for words in asked] == [
        ["850511", "gallium"], ["gallium"], ["850511"],
    ]  # fmt: skip


def test_the_fingerprint_ignores_writing_order_and_later_rows(engine: Engine) -> None:
    late = {"destination": "DEU", "available_at": "2025-08-20T00:00:00Z"}
    write_batch(engine, make_batch(make_observations({})))
    before = evidence_digests(engine, as_of=JULY_20).digest

    write_batch(engine, make_batch(make_observations(late), sha256="b" * 64))

    assert evidence_digests(engine, as_of=JULY_20).digest == before
    assert evidence_digests(engine).digest != before


def test_other_goods_leave_the_fingerprint_of_the_magnets_alone(engine: Engine) -> None:
    write_batch(engine, make_batch(make_observations({})))
    before = evidence_digests(engine).digest

    others = make_observations({"commodity": "811292"}, {"commodity": "850511"})
    write_batch(engine, make_batch(others, sha256="b" * 64))

    assert evidence_digests(engine).digest == before
    assert read_evidence(engine)["commodity"].unique().tolist() == ["85051110"]


def test_figures_on_materials_are_evidence_and_partners_imports_are_not(engine: Engine) -> None:
    imports = {"commodity": "850511", "measure": "mirror_import_t"}
    write_batch(engine, make_batch(make_observations({}, imports, {"commodity": "gallium"})))

    assert read_evidence(engine)["commodity"].tolist() == ["85051110", "gallium"]
