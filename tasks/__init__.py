"""阶段 stages: one file a stage; see README.md."""
