"""What lies on disk and nothing else: runs, cards, weights, teams, tables, flags, claims, whole files or none."""
