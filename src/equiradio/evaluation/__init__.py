"""Arithmetic on tables: scores, intervals and calibration; never torch."""
