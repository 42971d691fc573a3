"""样例站 the embedded sample: a small Chinese web site, its planted cases, and a server for it on loopback."""
