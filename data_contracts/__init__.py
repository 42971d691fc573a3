"""数据契约 what data and config must look like; imports nothing of ours."""
