"""模板 templates: five page shells of the real Chinese web, with navigation, side lists, advertising and footers.

Each takes a `Page` and gives a whole HTML document without a charset declaration of its own: `Page.meta` holds it, so
that planted pages can declare none or a wrong one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape

from deployments.demo.markup import to_html, to_old_html
from deployments.demo.texts import Text

UTF8_META = '<meta charset="utf-8">'
OLD_META = '<meta http-equiv="Content-Type" content="text/html; charset={}">'

Link = tuple[str, str]  # href, text


@dataclass(frozen=True)
class Page:
    """What a template needs beside the text."""

    text: Text
    section: Link
    menu: tuple[Link, ...]  # the site's sections
    related: tuple[Link, ...] = ()
    previous: Link | None = None
    following: Link | None = None
    meta: str = UTF8_META
    extra: str = ""  # raw HTML put behind the text, inside its element
    comments: tuple[tuple[str, str], ...] = field(default=())  # who, what


def anchor(link: Link) -> str:
    """An <a> element."""
    return f'<a href="{escape(link[0])}">{escape(link[1])}</a>'


def _list(links: tuple[Link, ...], css: str = "") -> str:
    items = "".join(f"<li>{anchor(link)}</li>" for link in links)
    return f'<ul class="{css}">{items}</ul>'


def _neighbours(page: Page) -> str:
    before = f"上一篇：{anchor(page.previous)}" if page.previous else "上一篇：没有了"
    after = f"下一篇：{anchor(page.following)}" if page.following else "下一篇：没有了"
    return f'<div class="pagination"><span>{before}</span> <span>{after}</span></div>'


def _head(page: Page, style: str) -> str:
    title = escape(page.text.title)
    return f"""<head>
{page.meta}
<title>{title}_{escape(page.section[1])}_字流样例站</title>
<meta name="viewport" content="width=device-width">
<style>{style}</style>
<script>var _hmt=_hmt||[];
(function(){{var s="{escape(page.text.id)}";window.pv=function(){{return s.length}};}})();</script>
</head>"""


FOOTER = """<div class="footer" id="footer"><p>关于我们 | 联系方式 | 网站地图 | 友情链接 | 广告服务</p>
<p>Copyright © 2026 字流样例站 各文的出处与许可见说明</p></div>"""
ADVERT = (
    '<div class="ad advertisement" id="ad-{0}"><a href="/guanggao/{0}.png">'
    '<img src="/guanggao/{0}.png" alt="广告"></a> 广告</div>'
)


def news(page: Page) -> str:
    """A portal's article page: channel bar, crumbs, source line, hot list, adverts between."""
    text = page.text
    return f"""<!DOCTYPE html>
<html lang="zh-CN">
{_head(page, ".wrap{width:1000px;margin:0 auto}.sidebar{float:right}.ad{border:1px solid #ccc}")}
<body>
<div class="topbar header"><a href="/">首页</a> <a href="javascript:void(0)">登录</a>
<a href="javascript:void(0)">注册</a></div>
<div class="nav">{_list(page.menu, "channel")}</div>
{ADVERT.format("top")}
<div class="wrap">
<div class="breadcrumb">当前位置：<a href="/">首页</a> &gt; {anchor(page.section)} &gt; 正文</div>
<div class="main article">
<h1>{escape(text.title)}</h1>
<div class="info"><span class="source">作者：{escape(text.byline or "佚名")}</span>
<span class="share">分享到：微博 QQ空间</span></div>
<div class="article-content" id="content">
{to_html(text.text)}
{page.extra}
</div>
{_neighbours(page)}
<div class="editor">（责任编辑：样例）</div>
</div>
<div class="side sidebar"><h3>热门推荐</h3>{_list(page.related, "hot")}{ADVERT.format("side")}</div>
</div>
{FOOTER}
<script>document.write('<div class="float-ad">点击领取红包</div>');</script>
</body></html>"""


def statute(page: Page) -> str:
    """A law database: a table of facts, then the articles."""
    text = page.text
    date = f"<tr><td>公布日期</td><td>{text.date}</td></tr>" if text.date else ""
    return f"""<!DOCTYPE html>
<html lang="zh-CN">
{_head(page, ".law{font-family:SimSun}.facts td{border:1px solid #999}")}
<body>
<header><h2>法律法规数据库</h2><nav>{_list(page.menu)}</nav>
<form action="/sousuo" method="get"><input name="q" placeholder="请输入关键字"><button>检索</button></form></header>
<section class="law">
<h1>{escape(text.title)}</h1>
<table class="facts"><tr><td>类别</td><td>{escape(page.section[1])}</td></tr>{date}</table>
<div id="zoom" class="TRS_Editor">
{to_html(text.text)}
{page.extra}
</div>
</section>
<aside><h3>相关法规</h3>{_list(page.related)}</aside>
{_neighbours(page)}
{FOOTER}
</body></html>"""


def blog(page: Page) -> str:
    """A personal blog: article element, tag cloud, comments below."""
    text = page.text
    comments = "".join(
        f'<div class="comment"><b class="nick">{escape(who)}</b><p class="comment-text">{escape(what)}</p></div>'
        for who, what in page.comments
    )
    return f"""<!DOCTYPE html>
<html lang="zh-CN">
{_head(page, "article{line-height:1.8}.tags a{margin:3px}")}
<body class="home">
<header id="site-header"><a href="/">诗词小筑</a><nav id="site-nav">{_list(page.menu)}</nav></header>
<main><article class="post">
<header><h1 class="entry-title">{escape(text.title)}</h1><div class="meta">{escape(text.byline)}</div></header>
<div class="entry-content">
{to_html(text.text)}
{page.extra}
</div></article>
{_neighbours(page)}
<div id="comments" class="comments"><h3>评论（{len(page.comments)}）</h3>{comments}</div></main>
<aside class="sidebar"><h3>随便看看</h3>{_list(page.related)}
<div class="tags"><a href="/">唐诗</a><a href="/">宋词</a></div></aside>
{FOOTER}
</body></html>"""


def docs(page: Page) -> str:
    """A documentation site: chapter tree on the left, edit link, previous and next."""
    text = page.text
    return f"""<!DOCTYPE html>
<html lang="zh-CN">
{_head(page, "#sidebar{float:left;width:200px}main{margin-left:220px}pre{background:#f6f6f6}")}
<body>
<!-- 本页由样例站生成；导航由脚本展开 -->
<nav id="sidebar" class="sidebar" aria-label="目录">{_list(page.related)}</nav>
<div id="page-wrapper"><div class="menu-bar">{_list(page.menu)}</div>
<div id="content" class="content"><main>
<h1>{escape(text.title)}</h1>
{to_html(text.text)}
{page.extra}
</main></div>
<nav class="nav-wrapper">{_neighbours(page)}</nav></div>
{FOOTER}
<script>window.playground_copyable=true;</script>
</body></html>"""


def old_table(page: Page) -> str:
    """A page of 2003: nested tables, fonts, no closing tags for cells, a visitors' counter."""
    text = page.text
    menu = " | ".join(anchor(link) for link in page.menu)
    related = "<br>".join(f"·{anchor(link)}" for link in page.related)
    return f"""<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN">
<HTML>
{_head(page, "td{font-size:14px}")}
<BODY bgcolor="#FFFFEE" text=#000000>
<TABLE width=780 align=center border=0><TR><TD align=center><font color=red size=2>{menu}</font></TABLE>
<TABLE width=780 align=center cellpadding=4 border=0><TR>
<TD width=160 valign=top bgcolor=#EEEEDD><font size=2><b>最新更新</b><br>{related}</font>
<TD valign=top><center><font size=5><b>{escape(text.title)}</b></font><br>
<font size=2>{escape(text.byline)}</font></center>
<hr size=1>
<div class="zw">
{to_old_html(text.text)}
{page.extra}
</div>
{_neighbours(page)}
</TABLE>
<TABLE width=780 align=center><TR><TD align=center>
<font size=2>您是第 00{len(text.text)} 位访客 建议使用 1024x768 分辨率浏览</font></TABLE>
{FOOTER}
</BODY></HTML>"""


def forum(page: Page) -> str:
    """A forum thread: the first post is the text, the others are one-line replies."""
    text = page.text
    replies = "".join(
        f'<div class="post reply comment" id="p{n}"><div class="author"><a href="javascript:;">{escape(who)}</a>'
        f"<p>等级：初来乍到</p></div>"
        f'<div class="t_f">{escape(what)}</div><div class="sign">——签名档：天天向上</div></div>'
        for n, (who, what) in enumerate(page.comments, 2)
    )
    return f"""<!DOCTYPE html>
<html lang="zh-CN">
{_head(page, ".author{float:left;width:120px}.post{border-bottom:1px solid #ddd}")}
<body id="nv_forum">
<div id="hd">{_list(page.menu)}<p>您还未登录，<a href="javascript:;">登录</a>后查看更多精彩内容</p></div>
<div id="pt">{anchor(page.section)} &rsaquo; 帖子</div>
<div id="postlist">
<h1 id="thread_subject">{escape(text.title)}</h1>
<div class="post first" id="p1"><div class="author"><a href="javascript:;">楼主</a><p>等级：版主</p></div>
<div class="t_f article-content" id="postmessage_1">
{to_html(text.text)}
{page.extra}
</div></div>
{replies}
</div>
{_neighbours(page)}
<div class="bm related"><h3>相关帖子</h3>{_list(page.related)}</div>
{FOOTER}
</body></html>"""
