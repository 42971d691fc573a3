"""读取器 readers: files of the outside world -> records, streamed. Damage is a record with a reason, never an end."""
