"""帖子 forum posts: the words of every post of a thread, where the forum's software marks them.

A thread has many articles. What stands between them (names, ranks, signatures, buttons) is most of the page, so each
post is read by itself. The marks are those of forum software, each from its own default theme.
"""

from __future__ import annotations

from typing import Any

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from tasks.transforms.page_names import Names, Selectors

MAX_POSTS = 500
MIN_CHARS = 30  # of all posts together
_SOFTWARE = Selectors(
    ".t_f",  # Discuz!
    ".Post-body",  # Flarum
    ".topic-detail .markdown, .reply .markdown",  # Homeland
    ".topic-body .cooked",  # Discourse
    ".message-body .bbWrapper",  # XenForo
    ".d_post_content",  # 百度贴吧
    ".topic_content, .reply_content",  # V2EX
    ".postbody .content",  # phpBB
    ".tpc_content",  # PHPWind
    ".question .s-prose, .answer .s-prose",  # Stack Overflow
)


def forum_posts(tree: HTMLTree, names: Names) -> list[Any]:
    """Elements that hold one post each, in the order of the page; none for a page that is no thread."""
    if tree.document is None:
        return []
    for mark in _SOFTWARE.possible(names):
        posts = tree.document.query_selector_all(mark)[:MAX_POSTS]
        if sum(len(p.text or "") for p in posts) >= MIN_CHARS:
            return list(posts)
    return []


def text_of_posts(posts: list[Any], skipped: list[str]) -> str:
    """The posts' texts end to end, each once: some pages hold all of them again for readers without scripts."""
    texts = (extract_plain_text(p.html, noscript=False, skip_elements=skipped) for p in posts)
    return "\n".join(dict.fromkeys(text.strip() for text in texts))
