"""部署 deployments: how it runs."""
