"""English sentences of other parts of the system, known by their form, in the language in use."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from service.language.choice import DEFAULT, language
from service.language.phrases import Sentence, gettext

END: Final = r"(?:[.,;] |\.?$)"
"""What follows a sentence: those parts join some by a comma or a semicolon."""

Placeholder = tuple[str, Callable[[str], str]]
"""What it looks like (a pattern), and what writes it in the language in use."""


def as_clause(sentence: str) -> str:
    """Return a sentence as a part of another: without the stop at its end."""
    return sentence.rstrip(".。")


@dataclass(frozen=True)
class KnownSentences:
    """Sentences, marked for the catalogues, that a text of another part may be made of."""

    sentences: tuple[str, ...]
    placeholders: Mapping[str, Placeholder]
    other: Placeholder
    """Of a placeholder that is not named."""

    def shown(self, text: str) -> str:
        """Return a text in the language in use; one of an unknown form stays English."""
        if language() == DEFAULT:
            return text
        found, rest = list[str](), text
        while rest:
            begun = [(one, hit) for one, form in self._forms if (hit := form.match(rest))]
            if not begun:
                return text
            sentence, hit = begun[0]
            words = {name: self._of(name)[1](word) for name, word in hit.groupdict().items()}
            found.append(gettext(sentence, **words))
            rest = rest[hit.end() :]
        return Sentence(" ".join(found))

    @cached_property
    def _forms(self) -> list[tuple[str, re.Pattern[str]]]:
        return [(sentence, self._form(sentence)) for sentence in self.sentences]

    def _form(self, sentence: str) -> re.Pattern[str]:
        parts = re.split(r"%\((\w+)\)s", sentence.rstrip(".").replace("%%", "%"))
        parts[::2] = map(re.escape, parts[::2])
        parts[1::2] = [f"(?P<{name}>{self._of(name)[0]})" for name in parts[1::2]]
        return re.compile("".join(parts) + END, re.IGNORECASE)

    def _of(self, name: str) -> Placeholder:
        return self.placeholders.get(name, self.other)
