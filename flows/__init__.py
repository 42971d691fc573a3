"""流程 flows: read these first; one line per stage."""
