"""What far sides say, without the contact, which must be kept nowhere but on the order.

A reason is written into the database and into logs, and quotes what a mail server or a receiver answered, which quotes
what it was sent, whole or in part and spelled in its own way.
"""

from __future__ import annotations

import base64
import binascii
import re

from orderstate.events.notify.mail import ascii_address, recipient
from orderstate.events.notify.message import Message, quoted

MASK = "(the contact)"

_SHORTEST = 3
"""Letters of a part of the contact, from which on it is looked for by itself."""

_AT = r"""["']?\s*(?:@|%40|=40|=|&#0*64;|&#x0*40;|\\u0040|[(\[{<]\s*at\s*[)\]}>]|\bat\b)\s*["']?"""
"""What stands between the two parts of an address: `"ada"@example.org`, `ada at example.org`, `ada=example.org`."""

_ENCODED_WORD = re.compile(r"=\?[\w.*-]+\?[bq]\?[^\s?]*(?:\?=)?", re.IGNORECASE)
"""RFC 2047; nobody needs to read one in a reason."""

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}")


def without_contact(words: str, message: Message) -> str:
    """`words` without the contact: its address, the part before the @, its name and each word of that, and the whole.

    In any case, plain, quoted, spelled out, split over lines, percent-encoded, in base64, or escaped as in JSON, in
    HTML or in mails.
    """
    if not message.to or not message.to.strip():
        return words
    whole, to = message.to.strip(), recipient(message)
    if to is None:
        found, parts = [_any_spelling(whole)], {whole}
    else:
        local, ascii_domain = to.address.rpartition("@")[0], ascii_address(to).rpartition("@")[2]
        found = [_any_spelling(secret) for secret in sorted({whole, to.address, ascii_address(to)}, key=len)[::-1]]
        for domain in {to.address.rpartition("@")[2], ascii_domain}:
            found.append(f"[\"']?{_any_spelling(local)}{_AT}{_any_spelling(domain)}")
        # A short name is a part of many words; what encodes a blank ends in letters and begins one all the same.
        parts = {p for p in (local, local.partition("+")[0], *to.name.split()) if len(p) >= _SHORTEST}
        parts |= {to.name} - {""}
        alone = "|".join(_any_spelling(part) for part in sorted(parts, key=len, reverse=True))
        if alone:
            found.append(rf"(?:(?<!\w)|(?<=[%=][0-9a-f]{{2}}))(?:{alone})(?!\w)")
    pattern = re.compile("|".join(found), re.IGNORECASE)
    plain = _ENCODED_WORD.sub(MASK, pattern.sub(MASK, words))
    return _BASE64.sub(lambda piece: MASK if pattern.search(_decoded(piece[0])) else piece[0], plain)


def _decoded(piece: str) -> str:
    """What a text says if it is base64 of text; else nothing."""
    bare = piece.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4)).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""


def _any_spelling(secret: str) -> str:
    """A pattern for a text of which each sign may be written in several ways, and which may go on in the next line."""
    return r"\n?".join("(?:" + "|".join(sorted(_spellings(sign), key=len, reverse=True)) + ")" for sign in secret)


def _spellings(sign: str) -> set[str]:
    spelled = {re.escape(sign)} | (
        {r"\+", "_"} if sign == " " else {r"\\" + re.escape(sign)} if sign in '"\\' else set()
    )
    for one in {sign, sign.lower(), sign.upper()}:
        spelled |= {quoted(one), quoted(one).replace("%", "=")}
        spelled.add("".join(rf"\\u{ord(each):04x}" for each in one))
        spelled.add("".join(f"&#(?:0*{ord(each)}|x0*{ord(each):x});" for each in one))
    return spelled
