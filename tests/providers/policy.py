"""The US tariff schedule and the Federal Register, from small files."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.providers.answers import Answer, Call, Provider

DATA = Path(__file__).parent / "data"


PAGE = """<!DOCTYPE html><html><head>
<meta name="PubDate" content="{day} 10:00"><title>{title}</title>
</head><body><ul class="nav"><li><a href="/index.html">首页</a></li></ul>
<script>var a = "公告2020年第1号";</script>{body}
<ul><li><a href="x.html">关于暂停的公告</a><span>{day}</span></li></ul></body></html>"""


@dataclass
class Announcement:
    day: str
    title: str
    body: str
    href: str = ""
    whole: str = ""
    """Its page; empty makes it of the rest."""
    shown: str | None = None
    """The day on the list, if another."""

    @property
    def path(self) -> str:
        return self.href or f"art/{self.day[:4]}/art_{self.day.replace('-', '')}.html"

    @property
    def link(self) -> str:
        if self.href:
            return f'<a href="{self.path}">{self.title}</a>'
        return f'<a href="{self.path}" title="{self.title}">{self.title[:20]}...</a>'

    @property
    def page(self) -> str:
        year, month, day = map(int, self.day.split("-"))
        signed = f"<p>商务部</p><p>{year}年{month}月{day}日</p>"
        body = f"<h1>{self.title}</h1>{self.body}{signed}"
        return self.whole or PAGE.format(day=self.day, title=self.title, body=body)


def announcements() -> list[Announcement]:
    """Return announcements in the form of the ministry's pages, the newest first."""
    return [
        Announcement(
            "2025-11-07",
            "商务部公告2025年第70号 公布暂停实施商务部公告2025年第61号、第62号等的决定",
            "<p>经批准,自即日起至2026年11月10日,商务部公告2025年第61号、第62号暂停实施。</p>",
        ),
        Announcement(
            "2025-10-09",
            "商务部公告2025第61号 公布对境外相关稀土物项实施出口管制的决定",
            "<p>【发布文号】商务部公告2025年第61号</p><p>【发文日期】2025年10月09日</p><p>对<b>钐钴</b>永磁"
            "材料的规定自公布之日起实施,其余自2025年12月1日起正式实施。</p>",
        ),
        Announcement("2025-09-02", "商务部公告2025年第44号 关于苯酚反倾销的公告", "<p>苯酚。</p>"),
        Announcement(
            "2025-04-04",
            "商务部 海关总署公告2025年第18号 公布对部分中重稀土相关物项实施出口管制的决定",
            "<p>对钐、钆、铽、镝相关物项实施出口管制。本公告自发布之日起正式实施。</p>",
        ),
        Announcement(
            "2024-08-15",
            "商务部 海关总署公告2024年第33号 关于对锑等物项实施出口管制的公告",
            "<p>对锑相关物项实施出口管制。本公告自2024年9月15日起正式实施。</p>",
        ),
    ]


FEED = """<?xml version="1.0" encoding="UTF-8"?><rss version="2.0"
 xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel><title>Feed</title>{}</channel></rss>"""


@dataclass
class FeedEntry:
    title: str
    day: str
    """As in a feed, with its offset."""
    text: str = ""
    whole: str = ""
    """Its text in full, where a feed has it."""

    @property
    def xml(self) -> str:
        link = "https://example.org/" + "-".join(self.title.lower().split())
        whole = f"<content:encoded><![CDATA[{self.whole}]]></content:encoded>" if self.whole else ""
        return (
            f"<item><title>{self.title}</title><link>{link}</link><pubDate>{self.day}</pubDate>"
            f"<description><![CDATA[{self.text}]]></description>{whole}</item>"
        )


def feed_entries() -> list[FeedEntry]:
    """Return entries in the form of both feeds, the newest first."""
    return [
        FeedEntry(
            "CSMS # 65000001 - GUIDANCE: Additional Duties on Goods of the PRC",
            "Wed, 11 Jun 2025 21:30:00 -0400",
            "<p>Goods of China under <b>9903.01.24</b> and 9903.01.63 pay an additional duty.</p>",
        ),
        FeedEntry(
            "CSMS # 65000000 - ACE Maintenance", "Mon, 02 Jun 2025 09:00:00 -0400", "Sunday."
        ),
        FeedEntry(
            "Ensuring Supply",
            "Mon, 15 Jul 2024 20:00:00 +0000",
            "<p>By the authority vested in me.</p>",
            "<p>Processed critical minerals, rare&nbsp;earths and permanent magnets.</p>",
        ),
        FeedEntry("Flag Day", "Sun, 10 Dec 2023 20:00:00 +0000", "<p>A day.</p>"),
    ]


@dataclass
class PolicyWorld:
    announcements: list[Announcement] = field(default_factory=announcements)
    feed: list[FeedEntry] = field(default_factory=feed_entries)
    page_size: int = 2
    """Entries on a page of a feed that has pages."""
    lines: list[dict[str, Any]] = field(
        default_factory=lambda: json.loads((DATA / "hts.json").read_text(encoding="utf-8"))
    )
    documents: list[dict[str, Any]] = field(
        default_factory=lambda: json.loads(
            (DATA / "federal_register.json").read_text(encoding="utf-8")
        )
    )


def hts(world: PolicyWorld) -> Provider:
    return Provider(
        lambda call: _lines(world, call),
        lambda body: body.replace(b'"general"', b'"generalRate"'),
        lambda body: json.dumps(json.loads(body) * 2).encode(),
    )


def _lines(world: PolicyWorld, call: Call) -> Answer:
    if call.path != "search":
        return Answer(b"[]", 404)
    keyword = call.one("keyword")
    found = [line for line in world.lines if line["htsno"].startswith(keyword)]
    return Answer(json.dumps(found).encode())


def federal_register(world: PolicyWorld) -> Provider:
    return Provider(
        lambda call: _documents(world, call),
        lambda body: body.replace(b'"document_number"', b'"number"'),
        _doubled,
    )


def _documents(world: PolicyWorld, call: Call) -> Answer:
    if call.path != "documents.json":
        return Answer(b"{}", 404)
    words = call.one("conditions[term]").replace('"', "").lower().split()
    first = call.one("conditions[publication_date][gte]")
    last = call.one("conditions[publication_date][lte]")
    found = [
        document
        for document in sorted(world.documents, key=lambda d: d["publication_date"])
        if first <= document["publication_date"] <= last
        and all(word in document["title"].lower() for word in words)
    ]
    size, page = int(call.one("per_page", "20")), int(call.one("page", "1"))
    result: dict[str, Any] = {"count": len(found), "description": "Documents"}
    if found:
        pages = -(-min(len(found), 2000) // size)
        part = found[(page - 1) * size : page * size] if page <= pages else []
        result |= {"total_pages": pages, "results": part}
    return Answer(json.dumps(result).encode())


def beijing(world: PolicyWorld) -> Provider:
    """Return the ministry, or the customs with one list of all years."""
    return Provider(
        lambda call: _announced(world, call),
        lambda body: body.replace("公告".encode(), "通知".encode()),
        lambda body: body * 2,
    )


def _announced(world: PolicyWorld, call: Call) -> Answer:
    found = [one for one in world.announcements if call.path.endswith(one.path)]
    year = call.path.partition("/")[0] if "/" in call.path else ""
    lines = "".join(
        f"<li>{one.link}<span>{one.day if one.shown is None else one.shown}</span>"
        for one in world.announcements
        if one.day.startswith(year)
    )
    if not lines and not found:
        return Answer(b"<html></html>", 404, content_type="text/html")
    text = found[0].page if found else PAGE.format(day="", title="", body=f"<ul>{lines}</ul>")
    return Answer(text.encode(), content_type="text/html; charset=utf-8")


def feeds(world: PolicyWorld) -> Provider:
    """Return the White House, page by page, or US customs with one page."""
    return Provider(
        lambda call: _feed(world, call),
        lambda body: body.replace(b"item>", b"entry>"),
        lambda body: body * 2,
    )


def _feed(world: PolicyWorld, call: Call) -> Answer:
    found, page = world.feed, call.one("paged")
    if page:
        found = found[(int(page) - 1) * world.page_size : int(page) * world.page_size]
        if not found:
            return Answer(b"{}", 404)
    elif call.path != "USDHSCBP_WIDGET_2.rss":
        return Answer(b"{}", 404)
    body = FEED.format("".join(one.xml for one in found))
    return Answer(body.encode(), content_type="application/rss+xml; charset=UTF-8")


def _doubled(body: bytes) -> bytes:
    answer = json.loads(body)
    results = answer.get("results", [])
    return json.dumps({**answer, "count": 2 * answer["count"], "results": results * 2}).encode()
