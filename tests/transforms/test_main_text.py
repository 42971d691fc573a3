"""The article, whole and alone; and page by page what becomes of odd ones."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.transforms.main_text import Wanted, lines_of, main_text
from tasks.transforms.markup import MAX_ATTRIBUTES, MAX_DEPTH, markup_load
from tasks.transforms.page_text import Page, page_text

PARAGRAPHS = [
    "子曰：学而时习之，不亦说乎？有朋自远方来，不亦乐乎？人不知而不愠，不亦君子乎？",
    "有子曰：其为人也孝弟，而好犯上者，鲜矣；不好犯上，而好作乱者，未之有也。君子务本，本立而道生。",
    "曾子曰：吾日三省吾身。为人谋而不忠乎？与朋友交而不信乎？传不习乎？",
    "子曰：道千乘之国，敬事而信，节用而爱人，使民以时。弟子入则孝，出则弟，谨而信，泛爱众，而亲仁。",
]
NAV = "<ul class='nav'>" + "".join(f"<li><a href='/{i}'>频道导航{i}</a></li>" for i in range(12)) + "</ul>"
ITEMS = "<ul><li>首先读书</li><li>其次习字</li></ul><table><tr><td>甲</td><td>乙</td></tr></table>"


def html(body: str, head: str = "<title>学而第一_论语_某某网</title>", between: str = "") -> str:
    text = "".join(f"<p>{p}</p>" for p in PARAGRAPHS)
    article = body.replace("TEXT", f"{text}<h2>小标题</h2>{ITEMS}{between}")
    return (
        f"<!DOCTYPE html><html><head><meta charset='utf-8'>{head}</head><body><div class='header'>{NAV}</div>{article}"
        "<div class='sidebar'><h3>热门推荐</h3><a href='/x'>猜你喜欢的另一篇</a></div>"
        "<footer>版权所有 某某网 京ICP备12345678号</footer></body></html>"
    )


def extract(page: str, url: str = "http://a.example/x", **wanted: bool):
    return main_text(page, url, Wanted(**wanted))


@pytest.mark.parametrize(
    "body",
    [
        "<article><h1>学而第一</h1>TEXT</article>",
        "<div id='js_content'>TEXT</div>",
        "<div><div class='left'>广告位</div><div class='article-content'>TEXT<div class='share'>分享到微博</div></div></div>",
        "<main><div class='breadcrumb'>首页 &gt; 论语</div>TEXT</main>",
        "<div class='wrap'><div class='TRS_Editor'>TEXT</div></div>",
    ],
)
def test_the_marked_element_is_read_whole_and_alone(body: str) -> None:
    found = extract(html(body))
    lines = found.text.split("\n")
    assert [line for line in lines if line in PARAGRAPHS] == PARAGRAPHS
    assert "小标题" in lines
    assert any("首先读书" in line for line in lines)
    assert any("甲" in line and "乙" in line for line in lines)
    for noise in ("频道导航", "猜你喜欢", "版权所有", "分享到微博", "广告位", "首页"):
        assert noise not in found.text
    assert (found.facts.title, found.extractor) == ("学而第一", "root")


def test_pages_without_a_mark_are_read_where_their_prose_is() -> None:
    found = extract(html("<div class='c1'><div class='c2'><div>TEXT</div></div></div>"))
    assert found.extractor == "prose"
    lines = found.text.split("\n")
    assert [line for line in lines if line in PARAGRAPHS] == PARAGRAPHS
    assert lines[0] == PARAGRAPHS[0]
    for noise in ("频道导航", "猜你喜欢", "版权所有"):
        assert noise not in found.text


def test_a_short_article_is_found_by_its_name_on_a_page_of_teasers() -> None:
    teaser = (
        "<div class='teaser'><p>另一篇，讲的是别的事。</p><a href='/y'>更多有关这件事的报道和评论，都在这里</a></div>"
    )
    page = f"<html><body><div>{teaser * 6}<div class='Main_Text'><div class='zw-content'>TEXT</div></div>{teaser * 6}</div></body></html>"
    found = extract(page.replace("TEXT", "".join(f"<p>{p}</p>" for p in PARAGRAPHS)))
    assert found.text.split("\n") == PARAGRAPHS


def test_boxes_that_are_named_as_no_prose_are_left_out_unless_they_bear_the_page() -> None:
    comments = "".join(f"<li>网友{i}：说得好，顶，赞！<a href='/r'>回复</a></li>" for i in range(6))
    found = extract(html(f"<div class='wrap'><div>TEXT</div><ul class='hot-comments'>{comments}</ul></div>"))
    assert PARAGRAPHS[0] in found.text
    assert "网友" not in found.text
    assert PARAGRAPHS[3] in extract(html("<div class='comment-page'><div class='sidebar-layout'>TEXT</div></div>")).text
    code = extract(
        html("<article>TEXT</article>", between="<pre>x = 1  <span class='hljs-comment'># 注释，一</span></pre>")
    )
    assert "# 注释，一" in code.text


def test_a_page_of_links_has_no_prose_to_step_into() -> None:
    links = "".join(f"<li><a href='/{i}'>第{i}篇：春天，秋天，和冬天</a></li>" for i in range(60))
    found = extract(html(f"<div class='wrap'><div class='x'><ul>{links}</ul></div></div>"))
    assert found.extractor != "prose"


@pytest.mark.parametrize(
    ("post", "between"),
    [
        ("<td class='t_f'>{}</td>", "<p>等级：新手上路 发表于 昨天 {} 举报</p>"),
        ("<div class='Post-body'>{}</div>", "<ul><li>回复 {}</li></ul>"),
        ("<div class='topic-body'><div class='cooked'><p>{}</p></div></div>", "<div class='sign'>签名 {}</div>"),
    ],
)
def test_of_a_thread_the_words_of_every_post_are_read(post: str, between: str) -> None:
    words = ["楼主说的第一段话，问一个问题，大家怎么看？", "二楼的回答：先看说明书。", "三楼：同意二楼。"]
    posts = "".join(post.format(w) + between.format(i) for i, w in enumerate(words))
    again = f"<noscript>{post.format(words[0])}</noscript>"
    found = extract(f"<html><body>{NAV}<table><tr>{posts}</tr></table>{again}</body></html>")
    assert found.text.split("\n") == words
    assert found.extractor == "posts"


def test_a_teaser_with_the_article_s_name_is_not_taken_for_it() -> None:
    body = f"<div class='content'>{'预告' * 90}</div><div class='body1'>TEXT{'<p>' + '。'.join(PARAGRAPHS) * 4 + '</p>'}</div>"
    assert PARAGRAPHS[0] in extract(html(body)).text


def test_several_marked_elements_are_no_mark() -> None:
    found = extract(html("<article>第一则短讯</article><article>第二则短讯</article><div class='x'>TEXT</div>"))
    assert PARAGRAPHS[2] in found.text


def test_code_keeps_its_indent() -> None:
    found = extract(html("<article>TEXT</article>", between="<pre>def f():\n    return 1\n</pre>"))
    assert "def f():\n    return 1" in found.text


STRUCTURE = (
    "<h2>小节</h2><ul><li>甲<ul><li>甲一</li><li>甲二</li></ul></li><li>乙</li></ul><ol><li>先</li><li>后</li></ol>"
    "<table><tr><th>名称</th><th>数目</th></tr><tr><td>苹果</td><td>三</td></tr></table><pre>if a:\n    b()</pre>"
)


def test_headings_lists_and_tables_keep_their_structure() -> None:
    lines = extract(html("<article>TEXT</article>", between=STRUCTURE)).text.split("\n")
    assert "小节" in lines
    assert [line.strip() for line in lines[lines.index("小节") + 1 :][:6]] == [
        "• 甲",
        "• 甲一",
        "• 甲二",
        "• 乙",
        "1. 先",
        "2. 后",
    ]
    indent = [len(line) - len(line.lstrip()) for line in lines if line.strip() in ("• 甲", "• 甲一")]
    assert indent[0] < indent[1]
    cells = [line.split() for line in lines if "苹果" in line or "名称" in line]
    assert cells == [["名称", "数目"], ["苹果", "三"]]


def test_code_and_tables_are_left_out_when_they_are_not_wanted() -> None:
    page = html("<article>TEXT</article>", between=STRUCTURE)
    for wanted, gone in (({"keep_code": False}, ("b()",)), ({"keep_tables": False}, ("苹果", "名称"))):
        text = extract(page, **wanted).text
        assert PARAGRAPHS[0] in text
        assert "甲一" in text
        assert not [g for g in gone if g in text]
    layout = "<table><tr><td>TEXT</td><td><table><tr><td>小表</td></tr></table></td></tr></table>"
    text = extract(html(layout), keep_tables=False).text
    assert PARAGRAPHS[0] in text
    assert "小表" not in text


@pytest.mark.parametrize(
    "page", ["", "<html></html>", "<p></p>", "<script>var a = '文字';</script>", "\0", "<![CDATA[", "<a" * 50]
)
def test_nothing_comes_of_nothing(page: str) -> None:
    assert extract(page).text == ""


def test_lines() -> None:
    assert lines_of("  　　一\n\n \n二\u3000\n\t三  ") == "一\n二\n三"
    assert lines_of("a:\n    b  \n　　段", keep_indent=True) == "a:\n    b\n段"


def test_markup_is_weighed_before_it_is_parsed() -> None:
    deep = b"<div>" * (MAX_DEPTH + 1) + b"x"
    assert markup_load(deep).is_bomb
    assert markup_load(b"<div>" * MAX_DEPTH + b"</div>" * MAX_DEPTH).depth == MAX_DEPTH
    assert not markup_load(b"<p>a<br><li>b<img>" * 50_000).is_bomb
    assert not markup_load(b"<div><b>a</b></div>" * 50_000).is_bomb
    assert not markup_load(b"<script>var a='" + b"<div>" * 5000 + b"'</script>").is_bomb
    assert not markup_load(b"<!--" + b"<div>" * 5000 + b"-->").is_bomb
    attributes = b" ".join(b"attribute%d=v" % i for i in range(MAX_ATTRIBUTES + 1))
    assert markup_load(b"<p " + attributes + b">x").is_bomb
    assert not markup_load(b'<img src="data:image/png;base64,' + b"iVBORw0KGgo" * 50_000 + b'==">').is_bomb
    assert markup_load(b"") == (0, 0)
    assert not markup_load(b"<").is_bomb
    assert markup_load(b"</p>" * 5000 + deep).is_bomb


@given(st.lists(st.tuples(st.sampled_from(["<div>", "</div>", "<b>", "</b>", "文"]), st.integers(1, 900)), max_size=20))
def test_no_order_of_tags_hides_how_deep_a_page_nests(runs: list[tuple[str, int]]) -> None:
    deepest = depth = 0
    for tag, times in runs:
        depth = max(0, depth + times * (tag.startswith("<") - 2 * tag.startswith("</")))
        deepest = max(deepest, depth)
    load = markup_load("".join(tag * times for tag, times in runs).encode())
    assert load.depth >= deepest
    assert load.is_bomb == (deepest > MAX_DEPTH)


def test_pages() -> None:
    whole = html("<article>TEXT</article>")

    def read(body: bytes, kind: str | None = "text/html") -> dict:
        return page_text(Page(body, kind, "http://a.example/"))

    for encoding in ("utf-8", "gb18030", "utf-16"):
        found = read(whole.replace("utf-8", encoding).encode(encoding))
        assert found["reason"] is None
        assert PARAGRAPHS[1] in found["text"]
    assert read("一行\n\n二行".encode(), "text/plain; charset=utf-8")["text"] == "一行\n二行"
    assert read(b"<html><body></body></html>")["reason"] == "no_main_text"
    assert read(b"<div>" * 3000 + whole.encode())["reason"] == "markup_bomb"
    assert read(("<div>" * 3000 + whole).encode("utf-16"))["reason"] == "markup_bomb"
    damaged = read(random.Random(1).randbytes(5000))
    assert damaged["reason"] == "undecodable"
    assert "is not" in damaged["error"]


def test_a_marked_element_without_text_of_its_own_is_passed_by() -> None:
    links = f"<article><nav>{NAV * 5}</nav></article>"
    found = extract(html(f"{links}<div class='c1'>TEXT</div>"))
    assert found.extractor == "resiliparse"
    assert PARAGRAPHS[3] in found.text
