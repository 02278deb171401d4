"""Runs through their whole life: the state table, ownership, and the service, the one door."""
