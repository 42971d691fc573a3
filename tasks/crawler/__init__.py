"""抓取程序 the crawler, a program of its own: `python -m tasks.crawler CONFIG.json`."""
