"""Search: query strings to typed queries, resources to index entries, and the truth about which match."""
