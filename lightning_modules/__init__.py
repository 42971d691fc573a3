"""模型 the only room where torch is imported; a program: `python -m lightning_modules fit --config RUN/run.yaml`."""
