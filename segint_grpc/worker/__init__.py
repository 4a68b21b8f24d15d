"""The worker side: a fork server, one process for each loaded model, and the pool that rules them."""
