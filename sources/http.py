"""Calls to providers: retries, an archive of raw answers, offline replay, keys that stay hidden.

At the end the sources queried so, by name.
"""

import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import ClassVar, Final, Generic, Self, TypeVar
from urllib.parse import quote, quote_plus, urlencode

import httpx
import pandas as pd
import tenacity
from pydantic import SecretStr

from store.errors import DataError, SourceError, shown
from store.facts.batch import FileRows
from store.progress import Progress, untracked
from store.settings import Settings


@dataclass(frozen=True, slots=True)
class MonthRange:
    """A closed range of months, at least one."""

    first: pd.Period
    last: pd.Period

    def __post_init__(self) -> None:
        if self.first.freqstr != "M" or self.last.freqstr != "M" or self.last < self.first:
            raise DataError(
                f"Span {self.first}..{self.last} is not a range of months. Expected two monthly "
                "periods, the last not before the first. Check --since and --until."
            )

    @classmethod
    def of(cls, first: str, last: str | None = None) -> Self:
        """Months from ``YYYY-MM`` to ``YYYY-MM``; one month without ``last``."""
        return cls(pd.Period(first, "M"), pd.Period(last or first, "M"))

    @property
    def begin(self) -> pd.Timestamp:
        return self.first.start_time.as_unit("us")

    @property
    def end(self) -> pd.Timestamp:
        return self.last.end_time.normalize().as_unit("us")

    @property
    def months(self) -> pd.PeriodIndex:
        return pd.period_range(self.first, self.last, freq="M")

    def pieces(self, months: int) -> Iterator["MonthRange"]:
        """Split into ranges of so many months; the last may be shorter."""
        every = self.months
        for start in range(0, len(every), months):
            part = every[start : start + months]
            yield MonthRange(part[0], part[-1])

    def years(self) -> Iterator["MonthRange"]:
        """Split by calendar year."""
        for year in range(self.first.year, self.last.year + 1):
            yield MonthRange(
                max(self.first, pd.Period(f"{year}-01", "M")),
                min(self.last, pd.Period(f"{year}-12", "M")),
            )

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}..{self.last}"


Read = TypeVar("Read")
Params = Sequence[tuple[str, str]]

_JSON: Final = "application/json"
PAGE_TYPE: Final = "text/html"
"""Accepted type of a call for a page; other calls refuse one."""

MAX_WAIT_S: Final = 30.0
"""Longest wait between attempts unless the provider asks for more."""

MAX_RETRY_AFTER_S: Final = 120.0
"""Longest wait a provider may ask for within one ingest; more is an error."""

TRANSIENT: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses worth another attempt."""

MOST_BODY: Final = 100_000_000
"""Largest body, unpacked; a year of partners by month has a tenth."""

RESUMED_WITHIN: Final = pd.Timedelta(hours=20)
"""Age of an answer with which a fetch that was cut off goes on; a daily one begins anew."""

KEY_PAGES: Final[Mapping[str, str]] = {"comtrade": "https://comtradedeveloper.un.org"}
"""Sign-up page for a provider's key."""

UNREADABLE: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""Errors of reading a body of another shape or content."""

_REFUSED: Final[Mapping[int, tuple[str, str]]] = {
    400: (
        "rejects the call as malformed",
        "Compare the call with the provider's documentation; it may have changed.",
    ),
    401: ("does not accept the key", "{key}"),
    403: ("refuses the call", "{key} Else wait until its quota is renewed."),
    404: ("has nothing at this address", "Check {url}; the provider may have moved the data."),
    412: (
        "answers with a bot wall",
        "No program passes it: download by hand in a browser and ingest the file.",
    ),
    413: ("finds the answer too large", "Ask for fewer months at once."),
}


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """Keys sent with every request, by the name of the header, and never written."""

    headers: Mapping[str, SecretStr] = field(default_factory=dict)

    def redact(self, text: str) -> str:
        """Text with every key hidden, in each encoding of addresses."""
        keys = [key.get_secret_value() for key in self.headers.values()]
        written = [[key, quote(key, safe=""), quote_plus(key)] for key in keys if key]
        for form in sorted(chain(*written), key=len, reverse=True):
            text = text.replace(form, "***")
        return text


def sent_as(name: str, key: SecretStr | None) -> Mapping[str, SecretStr]:
    """Header for a key; none if the key is missing or empty."""
    return {} if key is None or not key.get_secret_value() else {name: key}


@dataclass(frozen=True, slots=True)
class LongFetch:
    """A fetch of many calls: paced, and where it is cut off, the next one goes on from there."""

    name: str
    """Names what is fetched, as part of a file name."""
    ingested_at: pd.Timestamp
    pace_s: float


class _TransientError(Exception):
    def __init__(self, reason: str, retry_after_s: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


_WAIT: Final = tenacity.wait_random_exponential(max=MAX_WAIT_S) + tenacity.wait_exception(
    lambda err: getattr(err, "retry_after_s", 0.0)
)
"""Grows from attempt to attempt, at random, for many processes may wait; after what a provider asks
for."""

for _name in ("httpx", "httpcore"):  # they log whole addresses, with keys
    logging.getLogger(_name).setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class _Call(Generic[Read]):
    """A request, without keys, and how its answer is read."""

    address: str
    accept: str
    read: Callable[[bytes], Read]

    @property
    def file_name(self) -> str:
        return f"{_sha256(f'{self.accept} {self.address}'.encode())[:32]}.json"


class HttpClient:
    """Calls to one provider, within ``with``.

    Transient failures are retried with growing, random waits. Raw answers are archived, bodies by
    their hash; offline they are replayed. No key appears in an error, a log or the archive.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        provider: str,
        base_url: str,
        keys: ApiKeys | None = None,
        sleep: Callable[[float], None] = time.sleep,
        long: LongFetch | None = None,
    ) -> None:
        """Prepare; nothing is opened yet, and no proxy is used for the loopback."""
        self._settings, self._provider = settings, provider
        self._base = base_url.rstrip("/")
        self._keys = keys or ApiKeys()
        self._sleep = sleep
        self._folder = settings.http_cache_dir / provider
        self._long, self._sent = long, 0
        self._unfinished = self._folder / f"{long.name if long else ''}.unfinished"
        self._kept = frozenset() if settings.offline else self._answers_before()
        self._answers = hashlib.sha256()
        headers = {name: key.get_secret_value() for name, key in self._keys.headers.items()}
        self._client = httpx.Client(
            timeout=settings.http_timeout_s,
            headers={"User-Agent": "magnetcast (trade statistics; httpx)", **headers},
            trust_env=httpx.URL(self._base).host not in {"127.0.0.1", "localhost", "::1"},
            follow_redirects=True,
            event_hooks={"request": [self._refuse_other_host]},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._client.close()
        if kind is None and self._long and not self._settings.offline:
            self._unfinished.unlink(missing_ok=True)

    def _answers_before(self) -> frozenset[str]:
        """Answers that the same fetch archived before it was cut off."""
        if self._long is None or not self._unfinished.is_file():
            return frozenset()
        lines = self._unfinished.read_text(encoding="utf-8").splitlines()
        return frozenset(
            name
            for moment, _, name in (line.partition(" ") for line in lines)  # the last may be torn
            if (self._folder / name).is_file()
            and pd.Timedelta(0) <= self._long.ingested_at - pd.Timestamp(moment) < RESUMED_WITHIN
        )

    @property
    def sha256(self) -> str:
        return self._answers.hexdigest()

    def get(
        self,
        path: str,
        params: Params = (),
        *,
        read: Callable[[bytes], Read],
        accept: str = _JSON,
        base_url: str = "",
    ) -> Read | None:
        """Complete answer as ``read``, after retries; None if there are no data.

        Args:
            params: Names and values of the query, without keys.
            read: Reads a body; one of ``UNREADABLE`` is retried, then an error.

        Raises:
            SourceError: The provider did not deliver, or offline the answer is not archived.
        """
        query = f"?{urlencode(params)}" if params else ""
        address = f"{base_url or self._base}{path}{query}"
        call = _Call(address, accept, read)
        try:
            if self._settings.offline or call.file_name in self._kept:
                return self._read(call, *self._replayed(call))
            if self._long and self._sent:
                self._sleep(self._long.pace_s)
            self._sent += 1
            return tenacity.Retrying(
                retry=tenacity.retry_if_exception_type(_TransientError),
                stop=tenacity.stop_after_attempt(self._settings.http_attempts),
                wait=_WAIT,
                sleep=self._sleep,
                reraise=True,
            )(self._asked, call)
        except _TransientError as err:
            raise self._given_up(call, str(err), err.__cause__) from err

    def _asked(self, call: _Call[Read]) -> Read | None:
        try:
            with self._client.stream(
                "GET", call.address, headers={"Accept": call.accept}
            ) as response:
                status, body = response.status_code, self._body(call, response)
        except httpx.RequestError as err:
            reason = f"{type(err).__name__}: {err}".removesuffix(": ")
            raise _TransientError(self._keys.redact(reason)) from err
        if self._keys.headers:  # a provider may echo them
            body = self._keys.redact(body.decode("latin-1")).encode("latin-1")
        if status in TRANSIENT or status == httpx.codes.NO_CONTENT:
            pause = response.headers.get("Retry-After", "")
            wait = float(pause) if pause.isdigit() else 0.0  # a date waits as usual
            if wait > MAX_RETRY_AFTER_S:
                raise SourceError(
                    f"{self._provider} asks to wait {wait:,.0f} s, at {call.address}. Expected no "
                    "more than a short pause. Run the ingest again after that time."
                )
            raise _TransientError(f"HTTP {status}", wait)
        kind = response.headers.get("Content-Type", "")
        value = self._read(call, status, kind, body)
        self._save(call, status, kind, body)
        return value

    def _body(self, call: _Call[Read], response: httpx.Response) -> bytes:
        """Body, read in pieces; one that unpacks to more than a provider has is an error."""
        body = bytearray()
        for piece in response.iter_bytes():
            body += piece
            if len(body) > MOST_BODY:
                raise SourceError(
                    f"{self._provider} sends more than {MOST_BODY:,} bytes, at {call.address}. "
                    "Expected less. Ask for fewer months at once; nothing was taken over."
                )
        return bytes(body)

    def _refuse_other_host(self, request: httpx.Request) -> None:
        """Refuse a redirect that would send the keys elsewhere, or in the clear."""
        base, url = httpx.URL(self._base), request.url
        places = {(base.scheme, base.host, base.port), ("https", base.host, base.port)}
        if (url.scheme, url.host, url.port) not in places:
            raise SourceError(
                f"{self._provider} points to {url.netloc.decode()}, at {self._base}. Expected data "
                "there, for a key must go to no other host or port. If the provider has moved, set "
                f"MAGNETCAST_{self._provider.upper()}_URL."
            )

    def _read(self, call: _Call[Read], status: int, content_type: str, body: bytes) -> Read | None:
        is_page = call.accept == PAGE_TYPE
        # A year's list of announcements is there from its first line on.
        empty = is_page and status == httpx.codes.NOT_FOUND
        if not (empty or httpx.codes.is_success(status)):
            raise self._refused(call, status, body)
        if not is_page and _is_html(content_type, body):
            raise SourceError(
                f"{self._provider} sent an HTML page instead of data, at {call.address}. Expected "
                "JSON, CSV or XML as documented. Open the address in a browser: it may ask to log "
                f"in, to accept terms, or tell of maintenance. {key_hint(self._provider)}"
            )
        try:
            value = None if empty else call.read(body)
        except UNREADABLE as err:
            reason = self._keys.redact(str(err))
            raise _TransientError(f"the body cannot be used ({reason})") from err
        self._answers.update(body)
        return value

    def _save(self, call: _Call[Read], status: int, content_type: str, body: bytes) -> None:
        entry = {
            "url": call.address,
            "status": status,
            "content_type": content_type,
            "sha256": _sha256(body),
        }
        text = self._keys.redact(json.dumps(entry, indent=1))
        self._folder.mkdir(parents=True, exist_ok=True)
        for name, content in ((f"{entry['sha256']}.body", body), (call.file_name, text.encode())):
            new = self._folder / f"{name}.new"
            new.write_bytes(content)
            new.replace(self._folder / name)
        if self._long:
            with self._unfinished.open("a", encoding="utf-8") as file:
                file.write(f"{self._long.ingested_at.isoformat()} {call.file_name}\n")

    def _replayed(self, call: _Call[Read]) -> tuple[int, str, bytes]:
        try:
            entry = json.loads((self._folder / call.file_name).read_bytes())
            body = (self._folder / f"{entry['sha256']}.body").read_bytes()
            return entry["status"], entry["content_type"], body
        except (OSError, ValueError, KeyError, TypeError) as err:  # missing, or torn
            raise SourceError(
                f"Offline, and {self._folder} has no complete answer of {self._provider} to "
                f"{call.address}. Expected one from an earlier run over the same months. Run once "
                "without MAGNETCAST_OFFLINE."
            ) from err

    def _given_up(self, call: _Call[Read], reason: str, cause: BaseException | None) -> SourceError:
        if self._settings.offline:
            return SourceError(
                f"The archived answer of {self._provider} to {call.address} cannot be read: "
                f"{reason}. Expected data as documented. Remove {self._folder} and run again."
            )
        tries = self._settings.http_attempts
        remedy = (
            "Look at the address: the provider may have changed what it sends; nothing was taken "
            "over."
            if isinstance(cause, UNREADABLE)
            else "Try again later; nothing was taken over. MAGNETCAST_HTTP_ATTEMPTS and "
            "MAGNETCAST_HTTP_TIMEOUT_S set how patient to be."
        )
        return SourceError(
            f"{self._provider} failed {'once' if tries == 1 else f'{tries} times'}: {reason}, at "
            f"{call.address}. Expected a complete answer. {remedy}"
        )

    def _refused(self, call: _Call[Read], status: int, body: bytes) -> SourceError:
        """Error for an answer without data that another attempt will not change."""
        fault, remedy = _REFUSED.get(
            status, ("answers with an unforeseen status", "Look at the address in a browser.")
        )
        setting = f"MAGNETCAST_{self._provider.upper()}_URL"
        remedy = remedy.format(key=key_hint(self._provider), url=setting)
        text = "" if _is_html("", body) else shown(body.decode("utf-8", "replace"))
        quoted = f" with the text {text!r}" if text else ""
        return SourceError(
            f"{self._provider} {fault} (HTTP {status}){quoted}, at {call.address}. Expected HTTP "
            f"200 with data. {remedy}"
        )


def key_hint(provider: str) -> str:
    """Advice on the key of a provider."""
    if provider not in KEY_PAGES:
        return "It needs no key."
    page = KEY_PAGES[provider]
    return f"Set MAGNETCAST_{provider.upper()}_KEY to a valid key, free at {page}."


def _is_html(content_type: str, body: bytes) -> bool:
    start = body.lstrip()[:14].lower()
    return "html" in content_type.lower() or start.startswith((b"<!doctype html", b"<html"))


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


@dataclass(frozen=True, slots=True)
class HttpSource:
    """A provider queried over HTTP, a source; it reads no clock and writes to its cache alone."""

    id: ClassVar[str]
    """Names its data card, which states provenance, licence and publication lag."""
    completeness: ClassVar[float | None] = None
    """As ``FileRows.completeness``."""
    provider: ClassVar[str]
    """As in the names of its settings, ``MAGNETCAST_<PROVIDER>_URL``, and in messages."""

    settings: Settings
    sleep: Callable[[float], None] = time.sleep
    progress: Progress = untracked

    @property
    def url(self) -> str:
        return str(getattr(self.settings, f"{self.provider}_url"))

    def notice(self, span: MonthRange) -> str:  # noqa: ARG002 - of sources that have one
        """Notice to show before months are fetched; empty if there is none."""
        return ""

    def fetch(self, span: MonthRange, *, ingested_at: pd.Timestamp) -> FileRows:
        """Rows of the months of ``span``.

        Args:
            span: months wanted; what is not published yet is simply absent.
            ingested_at: the moment of the fetch, aware; no row is dated later.

        Returns: tables ``observations``, ``tariff_steps`` or ``proposals``; the hash is
            over the raw answers in the order of the requests.
        """
        raise NotImplementedError

    def client(self, keys: ApiKeys | None = None, long: LongFetch | None = None) -> HttpClient:
        """Client for its address, to be used within ``with``."""
        return HttpClient(
            self.settings,
            provider=self.provider,
            base_url=self.url,
            keys=keys,
            sleep=self.sleep,
            long=long,
        )

    def file(
        self,
        span: MonthRange,
        http: HttpClient,
        tables: Mapping[str, pd.DataFrame],
        *,
        wanted: str,
        ignored: tuple[str, ...] = (),
    ) -> FileRows:
        """Rows of some months with the hash over all answers; ``wanted`` words the request."""
        return FileRows(
            self.id,
            f"{self.id} {span}",
            http.sha256,
            tables,
            ignored,
            asked=f"{wanted}, {span}",
            completeness=self.completeness,
        )
