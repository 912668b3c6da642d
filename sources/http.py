"""Calls to providers: retries, an archive of raw answers, offline replay, keys that stay hidden."""

import hashlib
import json
import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from itertools import chain
from typing import ClassVar, Final, Generic, Literal, Self, TypeVar
from urllib.parse import quote, quote_plus, urlencode

import httpx
import pandas as pd
from pydantic import SecretStr
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from sources.base import MonthRange
from store.errors import SourceError, shown
from store.facts.batch import FileRows
from store.progress import Progress, untracked
from store.settings import Settings

Read = TypeVar("Read")
Params = Sequence[tuple[str, str]]

_JSON: Final = "application/json"
PAGE_TYPE: Final = "text/html"
"""What a call for a page accepts; others refuse one."""

MAX_WAIT_S: Final = 30.0
"""Longest wait between attempts unless the provider asks for more."""

MAX_RETRY_AFTER_S: Final = 120.0
"""Longest wait a provider may ask for within one ingest; more is an error."""

TOTAL_TIMEOUTS: Final = 3.0
"""Total time of one answer, in timeouts, even if data keeps arriving slowly."""

TRANSIENT: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses worth another attempt."""

RESUMED_WITHIN: Final = pd.Timedelta(hours=20)
"""Age of an answer with which a fetch that was cut off goes on; a daily one begins anew."""

TOO_MUCH: Final = 413

KEY_PAGES: Final[Mapping[str, str]] = {
    "comtrade": "https://comtradedeveloper.un.org",
    "census": "https://api.census.gov/data/key_signup.html",
}
"""Where a provider's key is had."""

_REFUSED: Final[Mapping[int, tuple[str, str]]] = {
    400: (
        "does not understand the call",
        "Compare the call with the provider's documentation; it may have changed.",
    ),
    401: ("does not accept the key", "{key}"),
    403: ("refuses the call", "{key} Else wait until its quota is renewed."),
    404: ("has nothing at this address", "Check {url}; the provider may have moved the data."),
    412: (
        "answers with a bot wall",
        "No program passes it: download by hand in a browser and ingest the file.",
    ),
    TOO_MUCH: ("finds the answer too large", "Ask for fewer months at once."),
}


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How to wait between attempts; tests pass their own."""

    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random
    """Uniform in [0, 1): spreads the retries of many processes."""

    def backoff(self, failures: int) -> float:
        """Return a random wait up to the limit after so many failures (full jitter)."""
        return float(min(MAX_WAIT_S, 2.0 ** (failures - 1))) * self.chance()

    def wait(self, state: RetryCallState) -> float:
        """Return how long to wait: as the provider asks, else by ``backoff``."""
        failure = state.outcome.exception() if state.outcome else None
        asked = failure.retry_after_s if isinstance(failure, _TransientError) else None
        return self.backoff(state.attempt_number) if asked is None else asked + self.backoff(1)


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """Keys sent with every request, by the name of the header or parameter, and never written."""

    headers: Mapping[str, SecretStr] = field(default_factory=dict)
    params: Mapping[str, SecretStr] = field(default_factory=dict)

    def redact(self, text: str) -> str:
        """Return ``text`` with every key hidden, however an address encodes it."""
        keys = [key.get_secret_value() for key in (*self.headers.values(), *self.params.values())]
        written = [[key, quote(key, safe=""), quote_plus(key)] for key in keys if key]
        for form in sorted(chain(*written), key=len, reverse=True):
            text = text.replace(form, "***")
        return text

    @contextmanager
    def hidden_in_logs(self) -> Iterator[None]:
        """Hide the keys in the logs of the HTTP library."""

        def hide(record: logging.LogRecord) -> bool:
            record.msg, record.args = self.redact(record.getMessage()), ()
            return True

        # A filter acts only on the logger it is added to.
        names = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.proxy")
        for name in names:
            logging.getLogger(name).addFilter(hide)
        try:
            yield
        finally:
            for name in names:
                logging.getLogger(name).removeFilter(hide)


def sent_as(name: str, key: SecretStr | None) -> Mapping[str, SecretStr]:
    """Return the header or parameter for a key; none if the key is missing or empty."""
    return {} if key is None or not key.get_secret_value() else {name: key}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A provider's own account of why it sends no data."""

    text: str
    """In the provider's words, whole."""
    kind: Literal["no_data", "too_much", "other"] = "other"
    remedy: str = ""


Explain = Callable[[bytes], Refusal | None]
"""Returns the refusal in a body, None if there is none."""


@dataclass(frozen=True, slots=True)
class LongFetch:
    """A fetch of many calls: paced, and where it is cut off, the next one goes on from there."""

    name: str
    """Names what is fetched, as part of a file name."""
    now: pd.Timestamp
    pace_s: float
    """Seconds from one call to the next."""


class TooMuchError(SourceError):
    """The answer would be too large for the provider."""


class _TransientError(Exception):
    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Archived:
    """An answer as it is kept: without keys."""

    url: str
    status: int
    sha256: str
    content_type: str
    date: str
    """The provider's own clock."""


@dataclass(frozen=True, slots=True)
class HttpReply(Generic[Read]):
    """A parsed answer."""

    value: Read | None
    """The parsed body; None where the provider has no data."""
    url: str
    """The address, without keys."""


@dataclass(frozen=True, slots=True)
class _Call(Generic[Read]):
    """A request, without keys, and how its answer is read."""

    provider: str
    url: str
    params: Params
    accept: str
    read: Callable[[bytes], Read]
    may_be_empty: bool
    explain: Explain | None

    @property
    def address(self) -> str:
        return f"{self.url}?{urlencode(self.params)}" if self.params else self.url

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
        retry_policy: RetryPolicy | None = None,
        long: LongFetch | None = None,
    ) -> None:
        """Prepare; nothing is opened yet."""
        self._settings, self._provider = settings, provider
        self._base = base_url.rstrip("/")
        self._keys = keys or ApiKeys()
        self._policy = retry_policy or RetryPolicy()
        self._folder = settings.http_cache_dir / provider
        self._long, self._sent = long, 0
        self._unfinished = self._folder / f"{long.name if long else ''}.unfinished"
        self._kept: frozenset[str] = frozenset()
        self._answers = hashlib.sha256()
        self._open = ExitStack()
        self._client: httpx.Client | None = None

    def __enter__(self) -> Self:
        """Open the client, unless offline; no proxy is used for the loopback."""
        if not self._settings.offline:
            headers = {name: key.get_secret_value() for name, key in self._keys.headers.items()}
            client = httpx.Client(
                timeout=self._settings.http_timeout_s,
                headers={"User-Agent": "magnetcast (trade statistics; httpx)", **headers},
                trust_env=httpx.URL(self._base).host not in {"127.0.0.1", "localhost", "::1"},
                follow_redirects=True,
                max_redirects=3,
                event_hooks={"request": [self._refuse_other_host]},
            )
            self._open.enter_context(self._keys.hidden_in_logs())
            self._client = self._open.enter_context(client)
            self._kept = self._answers_before()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._client = None
        self._open.close()
        if kind is None and self._long and not self._settings.offline:
            self._unfinished.unlink(missing_ok=True)

    def _answers_before(self) -> frozenset[str]:
        """Return the answers that the same fetch archived before it was cut off."""
        if self._long is None or not self._unfinished.is_file():
            return frozenset()
        lines = self._unfinished.read_text(encoding="utf-8").splitlines()
        return frozenset(
            name
            for moment, _, name in (line.partition(" ") for line in lines)  # the last may be torn
            if (self._folder / name).is_file()
            and pd.Timedelta(0) <= self._long.now - pd.Timestamp(moment) < RESUMED_WITHIN
        )

    @property
    def sha256(self) -> str:
        return self._answers.hexdigest()

    def pause(self, seconds: float) -> None:
        """Wait for an answer in preparation; not at all offline, where it is archived."""
        if not self._settings.offline:
            self._policy.sleep(seconds)

    def json(self, path: str, params: Params = ()) -> HttpReply[object]:
        """Request JSON; as ``get``."""
        return self.get(path, params, read=json.loads)

    def get(
        self,
        path: str,
        params: Params = (),
        *,
        read: Callable[[bytes], Read],
        accept: str = _JSON,
        may_be_empty: bool = False,
        explain: Explain | None = None,
        base_url: str = "",
    ) -> HttpReply[Read]:
        """Request until a complete answer arrives.

        Args:
            params: Names and values of the query, without keys.
            may_be_empty: Whether "no content" (204) is a valid answer, as few providers document;
                otherwise it is retried.
            explain: Finds the provider's own refusal in a body; one for want of data is an empty
                reply.

        Raises:
            SourceError: The provider did not deliver, or offline the answer is not archived.
            TooMuchError: The answer would be too large.
        """
        url = f"{base_url or self._base}{path}"
        call = _Call(self._provider, url, tuple(params), accept, read, may_be_empty, explain)
        try:
            if self._settings.offline or call.file_name in self._kept:
                return self._reply(call, *self._replayed(call))
            if self._long and self._sent:
                self._policy.sleep(self._long.pace_s)
            self._sent += 1
            return Retrying(
                retry=retry_if_exception_type(_TransientError),
                stop=stop_after_attempt(self._settings.http_attempts),
                wait=self._policy.wait,
                sleep=self._policy.sleep,
                reraise=True,
            )(self._asked, call)
        except _TransientError as err:
            raise self._given_up(call, str(err), err.__cause__) from err

    def _asked(self, call: _Call[Read]) -> HttpReply[Read]:
        try:
            response, body = self._exchange(call)
        except httpx.RequestError as err:
            reason = f"{type(err).__name__}: {err}".removesuffix(": ")
            raise _TransientError(self._keys.redact(reason)) from err
        date = response.headers.get("Date", "")
        if response.status_code in TRANSIENT or (
            response.status_code == httpx.codes.NO_CONTENT and not call.may_be_empty
        ):
            stated = response.headers.get("Retry-After", "")
            wait = float(stated) if stated.isdigit() else None  # a date waits as usual
            if wait is not None and wait > MAX_RETRY_AFTER_S:
                raise SourceError(
                    f"{call.provider} asks to wait {wait:,.0f} s, at {call.address}. Expected no "
                    "more than a short pause. Run the ingest again after that time."
                )
            raise _TransientError(f"HTTP {response.status_code}", wait)
        kind = response.headers.get("Content-Type", "")
        archived = Archived(call.address, response.status_code, _sha256(body), kind, date)
        try:
            reply = self._reply(call, archived, body)
        except TooMuchError:
            self._save(call, archived, body)
            raise
        self._save(call, archived, body)
        return reply

    def _exchange(self, call: _Call[Read]) -> tuple[httpx.Response, bytes]:
        if self._client is None:
            raise RuntimeError("HttpClient is used outside `with`.")
        keys = [(name, key.get_secret_value()) for name, key in self._keys.params.items()]
        until = time.monotonic() + TOTAL_TIMEOUTS * self._settings.http_timeout_s
        parts = []
        with self._client.stream(
            "GET", call.url, params=[*call.params, *keys], headers={"Accept": call.accept}
        ) as response:
            for part in response.iter_bytes():
                parts.append(part)
                if time.monotonic() > until:
                    raise httpx.ReadTimeout("the answer drips too slowly")
        body = b"".join(parts)
        if self._keys.headers or self._keys.params:  # a provider may echo them
            body = self._keys.redact(body.decode("latin-1")).encode("latin-1")
        return response, body

    def _refuse_other_host(self, request: httpx.Request) -> None:
        """Refuse a redirect that would send the keys elsewhere, or in the clear."""
        base = httpx.URL(self._base)
        if request.url.host != base.host or request.url.scheme not in {base.scheme, "https"}:
            raise SourceError(
                f"{self._provider} points to {request.url.host}, at {self._base}. Expected data at "
                "the same host, for a key must go nowhere else. If the provider has moved, set "
                f"MAGNETCAST_{self._provider.upper()}_URL."
            )

    def _reply(self, call: _Call[Read], archived: Archived, body: bytes) -> HttpReply[Read]:
        refusal = call.explain(body) if call.explain else None
        is_page = call.accept == PAGE_TYPE
        nothing = {httpx.codes.NO_CONTENT}
        if is_page:  # a year's list is there from its first line on
            nothing.add(httpx.codes.NOT_FOUND)
        empty = archived.status in nothing
        if refusal is not None and refusal.kind == "no_data":
            empty = True
        elif refusal is not None or not (empty or httpx.codes.is_success(archived.status)):
            raise _refused(call, archived.status, body, refusal)
        elif not is_page and _is_html(archived.content_type, body):
            raise SourceError(
                f"{call.provider} sent an HTML page instead of data, at {call.address}. Expected "
                "JSON, CSV or XML as documented. Open the address in a browser: it may ask to log "
                f"in, to accept terms, or tell of maintenance. {key_hint(call.provider)}"
            )
        try:
            value = None if empty else call.read(body)
        except ValueError as err:
            reason = self._keys.redact(str(err))
            raise _TransientError(f"the body cannot be used ({reason})") from err
        self._answers.update(body)
        return HttpReply(value, archived.url)

    def _save(self, call: _Call[Read], archived: Archived, body: bytes) -> None:
        entry = self._keys.redact(json.dumps(asdict(archived), indent=1, sort_keys=True))
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for name, content in (
                (f"{archived.sha256}.body", body),
                (call.file_name, entry.encode()),
            ):
                new = self._folder / f"{name}.new"
                new.write_bytes(content)
                new.replace(self._folder / name)
            if self._long:
                with self._unfinished.open("a", encoding="utf-8") as file:
                    file.write(f"{self._long.now.isoformat()} {call.file_name}\n")
        except OSError as err:
            raise SourceError(
                f"Cannot store the answer of {call.address} in {self._folder}: {err.strerror}. "
                "Expected a writable folder. Check MAGNETCAST_HOME and the space on its disk."
            ) from err

    def _replayed(self, call: _Call[Read]) -> tuple[Archived, bytes]:
        try:
            entry = (self._folder / call.file_name).read_text(encoding="utf-8")
            archived = Archived(**json.loads(entry))
            return archived, (self._folder / f"{archived.sha256}.body").read_bytes()
        except (OSError, ValueError, TypeError) as err:
            raise SourceError(
                f"Offline, and no answer of {call.provider} to {call.address} is kept in "
                f"{self._folder}. Expected one from an earlier run over the same months. Run once "
                "without MAGNETCAST_OFFLINE."
            ) from err

    def _given_up(self, call: _Call[Read], reason: str, cause: BaseException | None) -> SourceError:
        if self._settings.offline:
            return SourceError(
                f"The answer of {call.provider} kept for {call.address} cannot be read: {reason}. "
                f"Expected data as documented. Remove {self._folder} and run again."
            )
        tries = self._settings.http_attempts
        remedy = (
            "Look at the address: the provider may have changed what it sends; nothing was taken "
            "over."
            if isinstance(cause, ValueError)
            else "Try again later; nothing was taken over. MAGNETCAST_HTTP_ATTEMPTS and "
            "MAGNETCAST_HTTP_TIMEOUT_S set how patient to be."
        )
        return SourceError(
            f"{call.provider} failed {'once' if tries == 1 else f'{tries} times'}: {reason}, at "
            f"{call.address}. Expected a whole answer. {remedy}"
        )


def _refused(call: _Call[Read], status: int, body: bytes, own: Refusal | None) -> SourceError:
    """Return an error for an answer without data that another attempt will not change."""
    status = TOO_MUCH if own is not None and own.kind == "too_much" else status
    what, remedy = _REFUSED.get(
        status, ("answers with an unforeseen status", "Look at the address in a browser.")
    )
    setting = f"MAGNETCAST_{call.provider.upper()}_URL"
    remedy = remedy.format(key=key_hint(call.provider), url=setting)
    text = "" if _is_html("", body) else shown(body.decode("utf-8", "replace"))
    if own is not None:
        what = what if own.kind == "too_much" else "sends no data"
        text, remedy = own.text, own.remedy or remedy
    quoted = f" with the text {text!r}" if text else ""
    return (TooMuchError if status == TOO_MUCH else SourceError)(
        f"{call.provider} {what} (HTTP {status}){quoted}, at {call.address}. Expected HTTP 200 "
        f"with data. {remedy}"
    )


def key_hint(provider: str) -> str:
    """Return what to do about the key of a provider."""
    if provider not in KEY_PAGES:
        return "It takes no key."
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
    retry_policy: RetryPolicy = field(default_factory=RetryPolicy)
    progress: Progress = untracked

    @property
    def url(self) -> str:
        return str(getattr(self.settings, f"{self.provider}_url"))

    def notice(self, span: MonthRange) -> str:  # noqa: ARG002 - of sources that have one
        """Return what to say before months are fetched; empty if nothing."""
        return ""

    def fetch(self, span: MonthRange, *, now: pd.Timestamp) -> FileRows:
        """Fetch the months of ``span``.

        Args:
            span: months wanted; what is not published yet is simply absent.
            now: the moment of the fetch, aware; no row is dated later.

        Returns: tables ``observations``, ``tariff_steps`` or ``proposals``; the hash is
            over the raw answers in the order of the requests.
        """
        raise NotImplementedError

    def client(self, keys: ApiKeys | None = None, long: LongFetch | None = None) -> HttpClient:
        """Return a client for its address, to be used within ``with``."""
        return HttpClient(
            self.settings,
            provider=self.provider,
            base_url=self.url,
            keys=keys,
            retry_policy=self.retry_policy,
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
        """Return the rows of some months with the hash over all answers.

        Args:
            wanted: What was asked for besides the months, in words.
        """
        return FileRows(
            self.id,
            f"{self.id} {span}",
            http.sha256,
            tables,
            ignored,
            asked=f"{wanted}, {span}",
            completeness=self.completeness,
        )
