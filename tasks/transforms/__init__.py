"""纯函数 pure functions over frames and strings: no I/O, no Prefect, no state."""
