"""重复的查找 copies: the steps of dedup as jobs over parts of what all shards say, none of which needs them all."""
