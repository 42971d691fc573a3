"""正文容器 content root: the one element that a site's own template marks as the article, if it marks one.

Templates name the article: publishing systems by well-known classes and ids, documents by `article` and `main`. Where
exactly one element bears such a name, the article is inside it, lists, tables and code included; where in it, says
prose_root. That is better than any guess about blocks, and faster.
"""

from __future__ import annotations

from typing import Any

from resiliparse.parse.html import HTMLTree

from tasks.transforms.page_names import Names, Selectors

MIN_ROOT_CHARS = 150  # a teaser box may bear the same name as the article of another template
_MAX_CANDIDATES = 64  # a list page; none of its many boxes is the article

# From the most to the least specific: publishing systems in use in China, then those of the world, then plain HTML.
ROOTS = (
    "#js_content",  # WeChat
    '[itemprop="articleBody"]',
    "#artibody", "#article_content", "#articleContent", "#article-content",
    ".article-content", ".article_content", ".articleContent",
    "#artical_real", ".post_text", "#endText", ".post_body", "#Cnt-Main-Article-QQ",
    ".TRS_Editor", "#zoom", "#ozoom", "#rwb_zw", ".rm_txt_con", "#p-detail", "#detailContent", "#UCAP-CONTENT",
    ".pages_content", "#content_area", ".left_zw",  # government and party sites
    "#content_views", "#cnblogs_post_body", ".RichText", ".article-viewer", ".lemma-summary, .J-lemma-content",
    ".mw-parser-output", ".news_txt", ".all-txt", "#main_content",  # CSDN, 博客园, 知乎, 掘金, 百科, 澎湃, 观察者, 凤凰
    ".entry-content", ".post-content", ".post-body", ".article-body", ".article__content", ".article-detail",
    ".markdown-body", ".theme-default-content", ".markdown", ".rich_media_content",
    ".main-content", "article", "main", '[role="main"]', "#content", ".content", "#main",
)  # fmt: skip

# Inside the root: what is not read as part of the article.
SKIPPED = Selectors(
    "nav", "aside", "footer", "form", "button", '[role="navigation"]', '[aria-hidden="true"]', "[hidden]",
    ".breadcrumb", ".breadcrumbs", ".share", ".social-share", ".bdsharebuttonbox", ".article-share",
    ".related", ".recommend", ".recommended", ".comments", "#comments", ".comment-list", ".pagination", ".pager",
    ".sidebar", ".copyright", ".footer", ".toolbar", ".ad", ".ads", ".adsbygoogle", ".editor", ".author-info",
    ".headerlink", ".header-anchor", ".page-nav", ".page-edit", ".tags", ".nav", ".hidden",
    '[style*="display:none"]', '[style*="display: none"]',
)  # fmt: skip
_ROOTS = Selectors(*ROOTS)


def content_root(tree: HTMLTree, names: Names) -> Any | None:
    """The element that the template marks as the article; None when no mark is there exactly once."""
    if tree.document is None:
        return None
    possible = _ROOTS.possible(names)
    candidates: list[Any] = list(tree.document.query_selector_all(", ".join(possible))[: _MAX_CANDIDATES + 1])
    if not candidates or len(candidates) > _MAX_CANDIDATES:
        return None
    for mark in possible:
        marked = [c for c in candidates if c.matches(mark)]
        if len(marked) == 1 and len(marked[0].text) > MIN_ROOT_CHARS:
            return marked[0]
    return None
