import pytest

from store.database import open_to_read
from store.publications.integrity import read_publications
from tests.conftest import BOTH
from tests.faults.checking import Watch
from tests.faults.home import Home, serving
from tests.faults.world import NEXT, publish_until

pytestmark = [pytest.mark.slow, pytest.mark.long]


@pytest.mark.parametrize("database", BOTH)
def test_two_runs_at_once_with_other_facts(
    home: Home, database: str, request: pytest.FixtureRequest
) -> None:
    if database == "postgresql":
        address = request.getfixturevalue("empty_postgres")
        copied = home.call("home", "copy", "--to", address)
        assert copied.code == 0, copied.err
        home.more["MAGNETCAST_DATABASE_URL"] = address
    with serving(home) as service:
        watch = Watch(home, service)
        publish_until(home.data, "2020-04")
        home.set_clock(NEXT)

        first = home.start("run")
        first.wait_for("ingest    ")
        publish_until(home.data, "2020-04", revised=["2020-03"])
        second = home.start("run")
        watch.still_served()
        result = [one.ended() for one in (first, second)]
        with open_to_read(home.settings.url) as engine:
            numbers = read_publications(engine)["id"].tolist()

        assert [one.code for one in result] == [0, 0], [one.err for one in result]
        assert len(numbers) == 3
        for number in numbers[1:]:
            replayed = home.call("replay", "--publication", str(number))
            assert replayed.code == 0, replayed.err
        watch.healed(home.call("run"), new=NEXT)
