"""Bowles et al. 2021 and nothing else: its numbers, the habits of its code, its tables and figures made again."""
