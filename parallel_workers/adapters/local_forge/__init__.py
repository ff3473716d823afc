"""Pull requests without an account: kept in the repository itself, under its own refs, visible to plain git."""
